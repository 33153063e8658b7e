// The same from C++: lull.h has to be usable there, and errors to arrive as text.
#include <lull.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    lull_error error{};
    lull_model *none = nullptr;
    if (lull_model_open("no such file", &none, &error) != LULL_IO ||
        std::string(error.message).empty() || none)
        return 1;

    lull_model *opened = nullptr;
    if (lull_model_open(argv[1], &opened, &error)) {
        std::fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    std::unique_ptr<lull_model, decltype(&lull_model_close)> model(opened, lull_model_close);
    lull_options options;
    lull_options_init(&options);
    options.steps = 2;
    options.seed = 7;
    options.threads = 2;
    lull_vocoder *created = nullptr;
    if (lull_vocoder_new(model.get(), &options, &created, &error)) {
        std::fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    std::unique_ptr<lull_vocoder, decltype(&lull_vocoder_free)> vocoder(created, lull_vocoder_free);
    const lull_model_info *info = lull_model_get_info(model.get());
    std::vector<float> frames(static_cast<size_t>(info->bands) * 20, -5.0f),
        samples(20u * info->hop);
    for (size_t i = 0; i < frames.size(); i++) frames[i] -= 0.1f * static_cast<float>(i % 9);
    size_t accepted = 0, produced = 0;
    if (lull_vocoder_push(vocoder.get(), frames.data(), 20, &accepted, &error) || accepted != 20)
        return 1;
    lull_vocoder_finish(vocoder.get());
    if (lull_vocoder_pull(vocoder.get(), samples.data(), samples.size(), &produced, &error))
        return 1;
    std::printf("%zu samples\n", produced);
    return produced == samples.size() && lull_vocoder_ended(vocoder.get()) ? 0 : 1;
}
