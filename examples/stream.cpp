// Streaming with liblull from C++11: frames arrive one by one, sound leaves as soon as there is
// some.
//
//     c++ stream.cpp $(pkg-config --cflags --libs lull) -o stream
//     lull mel voice.wav -o - | ./stream MODEL.safetensors > voice.raw
//
// Standard input: raw float32 mel frames of the model's convention; standard output: raw float32
// samples. On standard error: when the first sound could leave, in frames that had to arrive for
// it.
#include <lull.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

// Errors of the library as exceptions.
void check(lull_status status, const lull_error &error) {
    if (status != LULL_OK) throw std::runtime_error(error.message);
}

struct ModelCloser {
    void operator()(lull_model *model) const {
        lull_model_close(model);
    }
};

struct VocoderFreer {
    void operator()(lull_vocoder *vocoder) const {
        lull_vocoder_free(vocoder);
    }
};

class Model {
  public:
    explicit Model(const std::string &path) {
        lull_error error{};
        lull_model *opened = nullptr;
        check(lull_model_open(path.c_str(), &opened, &error), error);
        model_.reset(opened);
    }
    const lull_model *get() const {
        return model_.get();
    }
    const lull_model_info &info() const {
        return *lull_model_get_info(model_.get());
    }

  private:
    std::unique_ptr<lull_model, ModelCloser> model_;
};

// The model must outlive it.
class Vocoder {
  public:
    Vocoder(const Model &model, const lull_options &options) {
        lull_error error{};
        lull_vocoder *created = nullptr;
        check(lull_vocoder_new(model.get(), &options, &created, &error), error);
        vocoder_.reset(created);
    }
    // False: no room, pull first.
    bool push(const std::vector<float> &frame) {
        lull_error error{};
        size_t accepted = 0;
        check(lull_vocoder_push(vocoder_.get(), frame.data(), 1, &accepted, &error), error);
        return accepted == 1;
    }
    void finish() {
        lull_vocoder_finish(vocoder_.get());
    }
    // What is ready, as many samples as the buffer has room for at most.
    size_t pull(std::vector<float> &samples) {
        lull_error error{};
        size_t produced = 0;
        check(lull_vocoder_pull(vocoder_.get(), samples.data(), samples.size(), &produced, &error),
              error);
        return produced;
    }
    size_t latency() const {
        return lull_vocoder_latency(vocoder_.get());
    }

  private:
    std::unique_ptr<lull_vocoder, VocoderFreer> vocoder_;
};

// Writes all that is ready; says how much that was.
size_t play(Vocoder &vocoder, std::vector<float> &samples) {
    size_t total = 0;
    while (size_t produced = vocoder.pull(samples)) {
        if (std::fwrite(samples.data(), sizeof(float), produced, stdout) != produced)
            throw std::runtime_error("standard output cannot be written");
        total += produced;
    }
    std::fflush(stdout);
    return total;
}

void stream(const std::string &path) {
    const Model model(path);
    lull_options options;
    lull_options_init(&options);
    options.use = LULL_LOW_LATENCY;
    Vocoder vocoder(model, options);

    std::vector<float> frame(static_cast<size_t>(model.info().bands)), samples(4096);
    size_t frames = 0, total = 0;
    while (std::fread(frame.data(), sizeof(float), frame.size(), stdin) == frame.size()) {
        while (!vocoder.push(frame)) total += play(vocoder, samples);
        frames++;
        const bool silent = total == 0;
        total += play(vocoder, samples);
        if (silent && total > 0)
            std::fprintf(stderr, "first sound after %zu frames (latency %zu samples)\n", frames,
                         vocoder.latency());
    }
    vocoder.finish();
    total += play(vocoder, samples);
    std::fprintf(stderr, "%zu frames, %zu samples\n", frames, total);
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s MODEL < frames > samples\n", argv[0]);
        return 2;
    }
    try {
        stream(argv[1]);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
