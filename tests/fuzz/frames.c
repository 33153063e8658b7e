/* Fuzzing: raw frames (or a .npy array) on standard input, read in pieces of any size. First byte:
 * bands and conversion; second: seed of the cuts. */
#include "fuzz.h"

#include <errno.h>

#include "cli/frame_source.h"
#include "recording/audio_file.h"
#include "mel/opening.h"

/* The linker sends read's callers here (--wrap): standard input gives as few bytes as it likes, or
 * is interrupted. */
static uint32_t cuts;
static int interrupts;
ssize_t __real_read(int descriptor, void *bytes, size_t room);
ssize_t __wrap_read(int descriptor, void *bytes, size_t room);
ssize_t __wrap_read(int descriptor, void *bytes, size_t room) {
    if (descriptor != STDIN_FILENO) return __real_read(descriptor, bytes, room);
    cuts = cuts * 1664525u + 1013904223u;
    if (cuts >> 29 == 0 && interrupts++ < 100) {
        errno = EINTR;
        return -1;
    }
    size_t most = (cuts >> 24 & 15) == 0 ? room : 1 + (cuts >> 16 & 63);
    return __real_read(descriptor, bytes, most < room ? most : room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    static const int bands[] = {1, 3, 8, 80};
    static int never[2] = {-1, -1};
    if (never[0] < 0) expect(pipe(never) == 0);
    mel_convention convention;
    lull_error error = {0};
    expect(mel_convention_named(data[0] & 64 ? "diffwave" : "hifigan", 16000, &convention,
                                &error) == LULL_OK);
    convention.bands = bands[data[0] & 3];
    static const char *const scales[] = {NULL, "ln", "log10", "db", "linear"};
    cli_input_options options = {.layout = data[0] >> 4 & 1,
                                 .from = scales[(data[0] >> 2 & 3) + (data[0] >> 5 & 1)],
                                 .quiet = true};
    cli_reading reading;
    expect(cli_reading_init(&reading, &options, &convention, &convention, &error) == LULL_OK);
    cuts = data[1];
    interrupts = 0;
    char name[32];
    int file = memory_file(data + 2, size - 2, name);
    expect(lseek(file, 0, SEEK_SET) == 0 && dup2(file, STDIN_FILENO) == STDIN_FILENO);
    frame_source *source = NULL;
    lull_status status = frame_source_open("-", &reading, &source, &error);
    expect(!status);
    size_t room = 1 + (data[1] & 7), n = 1, all = 0;
    float *frames = malloc(room * (size_t)convention.bands * sizeof *frames);
    expect(frames);
    while (n > 0 && !status) {
        status = frame_source_next(source, never[0], frames, room, &n, &error);
        if (status) break;
        expect(n <= room);
        /* What is not converted is looked at as long as it is the beginning; the vocoder refuses
         * the rest. */
        bool checked = options.from != NULL || all + n <= MEL_OPENING_FRAMES;
        for (size_t i = 0; checked && i < n * (size_t)convention.bands; i++)
            expect(isfinite(frames[i]));
        all += n;
        /* float16 in .npy is the smallest; recordings are compressed */
        expect(all * (size_t)convention.bands <= size || recording_file_begins(data + 2, size - 2));
    }
    if (status) expect_told(status, &error);
    free(frames);
    frame_source_free(source);
    cli_reading_clear(&reading);
    close(file);
    return 0;
}
