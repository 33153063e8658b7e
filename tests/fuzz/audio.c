/* Fuzzing: recordings through the reader. The first byte chooses the rate that is wanted. */
#include "fuzz.h"

#include "recording/audio_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const int rates[] = {0, 16000, 22050, 8000};
    if (size == 0) return 0;
    int rate = rates[data[0] % 4];
    char name[32];
    int descriptor = memory_file(data + 1, size - 1, name);
    lull_error error = {0};
    recording_info info;
    lull_status status = recording_file_info(name, &info, &error);
    if (status) {
        expect_told(status, &error);
    } else {
        expect(info.rate > 0 && info.channels > 0);
        float part[100];
        status = recording_file_read_part(name, info.frames / 2, 100, part, NULL, &error);
        if (status) expect_told(status, &error);
        for (int i = 0; i < 100; i++) expect(status || isfinite(part[i]));
    }
    float *samples = NULL;
    size_t count = 0;
    status = recording_file_read(name, rate, &samples, &count, &info, &error);
    if (status) {
        expect_told(status, &error);
        expect(!samples);
    } else {
        expect(count > 0);
        for (size_t i = 0; i < count; i++) expect(isfinite(samples[i]));
    }
    base_free(samples);
    close(descriptor);
    return 0;
}
