/* Fuzzing: .npy arrays, and what the commands make of them as mel frames. */
#include "fuzz.h"

#include "cli/input.h"
#include "io/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    npy_array array;
    lull_error error = {0};
    lull_status status = npy_parse(data, size, "it.npy", &array, &error);
    if (status) {
        expect_told(status, &error);
        return 0;
    }
    expect(array.dimensions >= 0 && array.dimensions <= NPY_MAX_DIMENSIONS);
    size_t count = 1;
    for (int d = 0; d < array.dimensions; d++)
        expect(!__builtin_mul_overflow(count, array.shape[d], &count));
    expect(count <= size); /* no array is larger than its file's float16 */
    float sum = 0;
    for (size_t i = 0; i < count; i++) sum += array.data[i];
    volatile float kept = sum; /* every number was read */
    (void)kept;
    static const char *const names[] = {"hifigan", "diffwave", "parallelwavegan"};
    for (int k = 0; k < 3; k++) {
        mel_convention convention;
        expect(mel_convention_named(names[k], 16000, &convention, &error) == LULL_OK);
        convention.bands = 4;
        static const char *const scales[] = {NULL, "ln", "log10", "db", "linear", "range:0,1:-9,1"};
        for (int from = 0; from < 6; from++) {
            const cli_input_options options = {
                .layout = (int)(count % 3), .from = scales[from], .quiet = true};
            cli_reading reading;
            float *frames = NULL;
            size_t n = 0;
            expect(cli_reading_init(&reading, &options, &convention, &convention, &error) ==
                   LULL_OK);
            status = cli_arrange_array(&array, "it.npy", &reading, &frames, &n, &error);
            cli_reading_clear(&reading);
            if (status)
                expect_told(status, &error);
            else
                for (size_t i = 0; i < n * 4; i++) expect(isfinite(frames[i]));
            base_free(frames);
        }
    }
    npy_free(&array);
    return 0;
}
