/* Recordings of several formats come in as they went out; WAV files go out whole or not at all. */
#include "../base/temporary.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sndfile.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "recording/audio_file.h"

static lull_error error;

enum { RATE = 16000, LONG = 40000 };

/* Channel c of frame i. */
static float wave(size_t i, int c) {
    return 0.5f * sinf((float)i * 0.02f * (float)(c + 1)) + 0.1f * (float)c;
}

/* A recording made by libsndfile itself. */
static void record(const char *path, int format, int rate, int channels, size_t frames) {
    SF_INFO info = {.samplerate = rate, .channels = channels, .format = format};
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    assert_non_null(file);
    float *samples = calloc(frames * (size_t)channels + 1, sizeof *samples);
    assert_non_null(samples);
    for (size_t i = 0; i < frames; i++) {
        for (int c = 0; c < channels; c++) samples[i * (size_t)channels + (size_t)c] = wave(i, c);
    }
    assert_int_equal(sf_writef_float(file, samples, (sf_count_t)frames), frames);
    free(samples);
    sf_close(file);
}

static void reads_formats_and_mixes_down(void **state) {
    (void)state;
    const struct {
        const char *name;
        int format;
        float tolerance;
    } kinds[] = {
        {"a.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 2.0f / 32768},
        {"b.wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 1e-6f},
        {"c.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_24, 1e-5f},
        {"d.aiff", SF_FORMAT_AIFF | SF_FORMAT_PCM_24, 1e-5f},
        {"e.ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 0.05f},
    };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        for (int channels = 1; channels <= 3; channels++) {
            const char *path = temporary_path(kinds[k].name);
            record(path, kinds[k].format, RATE, channels, LONG);
            recording_info info;
            assert_int_equal(recording_file_info(path, &info, &error), LULL_OK);
            assert_int_equal(info.rate, RATE);
            assert_int_equal(info.channels, channels);
            assert_int_equal(info.frames, LONG);
            float *samples;
            size_t count;
            assert_int_equal(recording_file_read(path, 0, &samples, &count, &info, &error),
                             LULL_OK);
            assert_int_equal(count, LONG);
            assert_int_equal(info.frames, LONG);
            double worst = 0;
            for (size_t i = 0; i < LONG; i++) {
                float wanted = 0;
                for (int c = 0; c < channels; c++) wanted += wave(i, c) / (float)channels;
                worst = fmax(worst, fabs(samples[i] - wanted));
            }
            if (worst > kinds[k].tolerance) fail_msg("%s is off by %g", kinds[k].name, worst);

            /* The same from parts, also before, across and beyond the end. */
            if (k != 4) {
                float part[1000];
                size_t got;
                for (size_t first = 0; first < LONG + 2000; first += 2999) {
                    assert_int_equal(
                        recording_file_read_part(path, first, 1000, part, &got, &error), LULL_OK);
                    size_t left = first < LONG ? LONG - first : 0;
                    assert_int_equal(got, left < 1000 ? left : 1000);
                    for (size_t i = 0; i < 1000; i++) {
                        assert_true(part[i] == (first + i < LONG ? samples[first + i] : 0));
                    }
                }
            }
            base_free(samples);
        }
    }
}

static void resamples_while_reading(void **state) {
    (void)state;
    const char *path = temporary_path("r.wav");
    record(path, SF_FORMAT_WAV | SF_FORMAT_FLOAT, 44100, 1, 44100);
    float *samples;
    size_t count;
    recording_info info;
    assert_int_equal(recording_file_read(path, RATE, &samples, &count, &info, &error), LULL_OK);
    assert_int_equal(info.rate, 44100);
    assert_int_equal(info.frames, 44100);
    assert_int_equal(count, RATE);
    double worst = 0;
    for (size_t i = 400; i < count - 400; i++) {
        double wanted = 0.5 * sin((double)i * 44100 / RATE * (double)0.02f);
        worst = fmax(worst, fabs(samples[i] - wanted));
    }
    assert_true(worst < 1e-4);
    base_free(samples);
}

static void refuses_recordings(void **state) {
    (void)state;
    float *samples = (float *)1;
    size_t count = 1;
    recording_info info;
    const char *path = temporary_path("x.wav");
    assert_int_equal(recording_file_read(path, 0, &samples, &count, &info, &error), LULL_IO);
    assert_contains(error.message, path);
    assert_contains(error.message, "No such file");
    assert_null(samples);
    assert_int_equal(recording_file_read(temporary_folder, 0, &samples, &count, NULL, &error),
                     LULL_IO);
    assert_contains(error.message, "directory");
    file_put(path, "", 0);
    assert_int_equal(recording_file_info(path, &info, &error), LULL_FORMAT);
    assert_contains(error.message, "empty");
    file_put(path, "this is no recording, it is text", 32);
    assert_int_equal(recording_file_read(path, 0, &samples, &count, NULL, &error), LULL_FORMAT);
    assert_contains(error.message, path);
    record(path, SF_FORMAT_WAV | SF_FORMAT_PCM_16, RATE, 2, 0);
    assert_int_equal(recording_file_read(path, 0, &samples, &count, NULL, &error), LULL_FORMAT);
    assert_contains(error.message, "0 frames");
    assert_int_equal(recording_file_read(path, -1, &samples, &count, NULL, &error), LULL_FORMAT);

    float bad[100] = {0};
    bad[57] = NAN;
    SF_INFO header = {.samplerate = RATE, .channels = 1, .format = SF_FORMAT_WAV | SF_FORMAT_FLOAT};
    SNDFILE *file = sf_open(path, SFM_WRITE, &header);
    assert_int_equal(sf_writef_float(file, bad, 100), 100);
    sf_close(file);
    assert_int_equal(recording_file_read(path, 0, &samples, &count, NULL, &error), LULL_NOT_FINITE);
    assert_contains(error.message, path);
    float part[100];
    assert_int_equal(recording_file_read_part(path, 0, 100, part, NULL, &error), LULL_NOT_FINITE);
    assert_int_equal(recording_file_read_part(path, 60, 100, part, NULL, &error), LULL_OK);
    assert_null(samples);
}

/* Cut at any place a recording gives what is left or an error, and never more than was promised. */
static void survives_truncation(void **state) {
    (void)state;
    const int formats[] = {SF_FORMAT_WAV | SF_FORMAT_PCM_16, SF_FORMAT_FLAC | SF_FORMAT_PCM_16};
    for (int k = 0; k < 2; k++) {
        const char *path = temporary_path("whole"), *cut = temporary_path("cut");
        record(path, formats[k], RATE, 1, 5000);
        size_t size;
        unsigned char *bytes = file_get(path, &size);
        for (size_t keep = 1; keep < size; keep += size / 37) {
            file_put(cut, bytes, keep);
            float *samples;
            size_t count;
            if (recording_file_read(cut, 8000, &samples, &count, NULL, &error) == LULL_OK) {
                assert_true(count > 0 && count <= 2500);
                base_free(samples);
            } else {
                assert_null(samples);
                assert_contains(error.message, cut);
            }
        }
        free(bytes);
    }
}

static void writes_what_libsndfile_reads(void **state) {
    (void)state;
    static float in[LONG + 1], out[LONG + 1];
    for (size_t i = 0; i <= LONG; i++) in[i] = wave(i, 0);
    in[10] = 1.5f, in[11] = -1.5f, in[12] = 1.0f, in[13] = -1.0f, in[14] = 0.9999999f;
    const struct {
        recording_format format;
        int subtype;
        float step;
    } kinds[] = {{RECORDING_PCM16, SF_FORMAT_PCM_16, 1.0f / 32768},
                 {RECORDING_PCM24, SF_FORMAT_PCM_24, 1.0f / 8388608},
                 {RECORDING_FLOAT, SF_FORMAT_FLOAT, 0}};
    for (size_t k = 0; k < 3; k++) {
        for (size_t count = 0; count <= LONG + 1; count = count < 1    ? 1
                                                          : count == 1 ? LONG + 1
                                                                       : count + 1) {
            const char *path = temporary_path("out.wav");
            recording_writer *w;
            assert_int_equal(recording_writer_open(path, RATE, kinds[k].format, &w, &error),
                             LULL_OK);
            for (size_t at = 0, piece = 1; at < count; at += piece, piece = piece * 2 + 1) {
                size_t n = count - at < piece ? count - at : piece;
                assert_int_equal(recording_writer_write(w, in + at, n, &error), LULL_OK);
            }
            assert_int_equal(recording_writer_commit(w, &error), LULL_OK);
            assert_int_equal(temporary_count(), 1);

            SF_INFO info = {0};
            SNDFILE *file = sf_open(path, SFM_READ, &info);
            assert_non_null(file);
            assert_int_equal(info.frames, count);
            assert_int_equal(info.samplerate, RATE);
            assert_int_equal(info.channels, 1);
            assert_int_equal(info.format, SF_FORMAT_WAV | kinds[k].subtype);
            assert_int_equal(sf_readf_float(file, out, LONG + 1), count);
            sf_close(file);
            for (size_t i = 0; i < count; i++) {
                float wanted = in[i];
                if (kinds[k].step > 0) wanted = fmaxf(-1, fminf(wanted, 1 - kinds[k].step));
                assert_true(fabsf(out[i] - wanted) <= 0.5001f * kinds[k].step);
            }
            /* The outer length covers the file, a padding byte after an odd number of bytes
             * included. */
            size_t size;
            unsigned char *bytes = file_get(path, &size);
            assert_int_equal(bytes[4] | bytes[5] << 8 | bytes[6] << 16 | bytes[7] << 24, size - 8);
            assert_int_equal(size % 2, 0);
            free(bytes);
        }
    }
}

/* Beyond what 32 bits say, here a smaller limit, lengths stand in RF64's own chunk; files say who
 * wrote them. */
static void long_files_are_rf64(void **state) {
    (void)state;
    static const struct {
        recording_format format;
        size_t count, expected;
        int container;
    } cases[] = {{RECORDING_PCM16, 5000, 0, SF_FORMAT_RF64},
                 {RECORDING_PCM24, 5001, 5001, SF_FORMAT_RF64},
                 {RECORDING_FLOAT, 5001, 0, SF_FORMAT_RF64},
                 {RECORDING_PCM16, 2000, 0, SF_FORMAT_WAV},
                 {RECORDING_PCM24, 2001, 2001, SF_FORMAT_WAV}};
    static float in[5001], out[5001];
    for (size_t i = 0; i < 5001; i++) in[i] = wave(i, 0);
    const char *path = temporary_path("long.wav");
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        recording_writer *w;
        recording_writer_limit(8000);
        assert_int_equal(recording_writer_open(path, RATE, cases[k].format, &w, &error), LULL_OK);
        if (cases[k].expected) recording_writer_expect(w, cases[k].expected);
        assert_int_equal(recording_writer_write(w, in, cases[k].count, &error), LULL_OK);
        assert_int_equal(recording_writer_commit(w, &error), LULL_OK);
        recording_writer_limit(0);
        SF_INFO info = {0};
        SNDFILE *file = sf_open(path, SFM_READ, &info);
        assert_non_null(file);
        assert_int_equal(info.frames, cases[k].count);
        assert_int_equal(info.format & SF_FORMAT_TYPEMASK, cases[k].container);
        assert_int_equal(sf_readf_float(file, out, 5001), cases[k].count);
        for (size_t i = 0; i < cases[k].count; i++) assert_true(fabsf(out[i] - in[i]) < 1e-4f);
        sf_close(file);
        assert_true(recording_file_is_ours(path));
    }
    record(path, SF_FORMAT_WAV | SF_FORMAT_PCM_16, RATE, 1, 100);
    assert_false(recording_file_is_ours(path));
}

static void failed_writes_leave_the_old_file(void **state) {
    (void)state;
    static float samples[60000];
    const char *path = temporary_path("old.wav");
    file_put(path, "old", 3);
    recording_writer *w;
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 100000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    lull_status opened = recording_writer_open(path, RATE, RECORDING_PCM16, &w, &error),
                written = LULL_OK;
    if (!opened) written = recording_writer_write(w, samples, 60000, &error);
    if (!opened && !written)
        written = recording_writer_commit(w, &error);
    else if (!opened)
        recording_writer_abandon(w);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(opened, LULL_OK);
    assert_int_equal(written, LULL_IO);
    assert_contains(error.message, path);
    assert_file_is(path, "old");
    assert_int_equal(temporary_count(), 1);

    assert_int_equal(recording_writer_open(path, RATE, RECORDING_FLOAT, &w, &error), LULL_OK);
    const float bad[2] = {0, INFINITY};
    assert_int_equal(recording_writer_write(w, bad, 2, &error), LULL_NOT_FINITE);
    recording_writer_abandon(w);
    recording_writer_abandon(NULL);
    assert_file_is(path, "old");
    assert_int_equal(temporary_count(), 1);

    assert_int_equal(
        recording_writer_open(temporary_path("no/x.wav"), RATE, RECORDING_PCM16, &w, &error),
        LULL_IO);
    assert_null(w);
    assert_int_equal(recording_writer_open(path, 0, RECORDING_PCM16, &w, &error), LULL_INVALID);
    /* A full disk shows at the latest at the end. */
    assert_int_equal(recording_writer_open("/dev/full", RATE, RECORDING_PCM16, &w, &error),
                     LULL_OK);
    assert_int_equal(recording_writer_commit(w, &error), LULL_IO);
    assert_contains(error.message, "/dev/full");
    assert_contains(error.message, "No space left");
}

/* What "-" writes: a header whose lengths say unknown, then samples at once, without going back. */
static void streams_to_stdout(void **state) {
    (void)state;
    const char *path = temporary_path("stream.wav");
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    fflush(stdout);
    int before = dup(STDOUT_FILENO);
    assert_true(dup2(pipe_ends[1], STDOUT_FILENO) >= 0);
    recording_writer *w = NULL;
    const float samples[3] = {0.25f, -0.25f, 2};
    unsigned char bytes[128];
    lull_status opened = recording_writer_open("-", RATE, RECORDING_PCM16, &w, &error);
    lull_status written = opened ? opened : recording_writer_write(w, samples, 3, &error);
    fcntl(pipe_ends[0], F_SETFL, O_NONBLOCK);
    ssize_t got = read(pipe_ends[0], bytes, sizeof bytes); /* before commit: nothing is held back */
    lull_status closed = opened ? opened : recording_writer_commit(w, &error);
    dup2(before, STDOUT_FILENO);
    close(before);
    assert_int_equal(opened, LULL_OK);
    assert_int_equal(written, LULL_OK);
    assert_int_equal(closed, LULL_OK);
    assert_int_equal(got, 44 + 6);
    assert_memory_equal(bytes, "RIFF\xff\xff\xff\xffWAVEfmt ", 16);
    assert_memory_equal(bytes + 36, "data\xff\xff\xff\xff", 8);
    const int16_t wanted[3] = {8192, -8192, 32767};
    assert_memory_equal(bytes + 44, wanted, 6);
    close(pipe_ends[0]);
    close(pipe_ends[1]);

    file_put(path, bytes, (size_t)got);
    float *read_back;
    size_t count;
    assert_int_equal(recording_file_read(path, 0, &read_back, &count, NULL, &error), LULL_OK);
    assert_int_equal(count, 3);
    base_free(read_back);
}

static void closed_stdout_is_an_error(void **state) {
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    close(pipe_ends[0]);
    fflush(stdout);
    int before = dup(STDOUT_FILENO);
    assert_true(dup2(pipe_ends[1], STDOUT_FILENO) >= 0);
    recording_writer *w = NULL;
    const float sample = 0;
    lull_status opened = recording_writer_open("-", RATE, RECORDING_FLOAT, &w, &error);
    lull_status written = opened ? opened : recording_writer_write(w, &sample, 1, &error);
    recording_writer_abandon(w);
    dup2(before, STDOUT_FILENO);
    close(before);
    close(pipe_ends[1]);
    assert_int_equal(opened, LULL_OK);
    assert_int_equal(written, LULL_IO);
    assert_contains(error.message, "standard output");
}

static void survives_lack_of_memory(void **state) {
    (void)state;
    const char *path = temporary_path("m.wav");
    record(path, SF_FORMAT_WAV | SF_FORMAT_FLOAT, 44100, 1, 1000);
    for (size_t n = 1;; n++) {
        float *samples;
        size_t count;
        base_memory_fail_at(n);
        lull_status status = recording_file_read(path, RATE, &samples, &count, NULL, &error);
        base_memory_fail_at(0);
        if (status == LULL_OK) {
            base_free(samples);
            assert_true(n > 3);
            break;
        }
        assert_int_equal(status, LULL_NO_MEMORY);
        assert_null(samples);
    }
    for (size_t n = 1; n <= 2; n++) {
        recording_writer *w;
        base_memory_fail_at(n);
        assert_int_equal(
            recording_writer_open(temporary_path("n.wav"), RATE, RECORDING_FLOAT, &w, &error),
            LULL_NO_MEMORY);
        base_memory_fail_at(0);
        assert_null(w);
    }
    assert_int_equal(temporary_count(), 1);
}

#define test_here(name) cmocka_unit_test_setup_teardown(name, temporary_begin, temporary_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        test_here(reads_formats_and_mixes_down),
        test_here(resamples_while_reading),
        test_here(refuses_recordings),
        test_here(survives_truncation),
        test_here(writes_what_libsndfile_reads),
        test_here(long_files_are_rf64),
        test_here(failed_writes_leave_the_old_file),
        test_here(streams_to_stdout),
        test_here(closed_stdout_is_an_error),
        test_here(survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
