/* The goldens' recordings (mono WAV of 16 bits) where libsndfile is not packaged. */
#include "recording/audio_file.h"

#include "base/error.h"
#include "base/memory.h"
#include "io/file_bytes.h"

#include <string.h>

lull_status recording_file_read(const char *path, int rate, float **samples, size_t *count,
                                recording_info *info, lull_error *error) {
    enum { HEADER = 44 };
    file_bytes file;
    (void)rate, (void)info;
    lull_status status = file_bytes_read(path, &file, error);
    if (status) return status;
    const unsigned char *bytes = file.data;
    if (file.size < HEADER || memcmp(bytes, "RIFF", 4) != 0 || memcmp(bytes + 36, "data", 4) != 0 ||
        bytes[22] != 1 || bytes[34] != 16) {
        file_bytes_free(&file);
        return base_fail(error, LULL_FORMAT, "'%s' is no plain WAV file", path);
    }
    *count = (file.size - HEADER) / 2;
    *samples = base_alloc(*count, sizeof **samples);
    for (size_t i = 0; *samples && i < *count; i++)
        (*samples)[i] =
            (float)(int16_t)(bytes[HEADER + 2 * i] | bytes[HEADER + 2 * i + 1] << 8) / 32768.0f;
    file_bytes_free(&file);
    return *samples ? LULL_OK : base_no_memory(error);
}
