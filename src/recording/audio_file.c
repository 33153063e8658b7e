/* Recordings in, through libsndfile and soxr. */
#include "recording/audio_file.h"

#include <errno.h>
#include <math.h>
#include <sndfile.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "recording/resample.h"

/* ---- reading ------------------------------------------------------------------------------- */

enum {
    BLOCK_FLOATS = 32768, /* read at once, all channels together */
    MAX_CHANNELS = 64,    /* microphones have fewer: these are bands of something else */
    /* A byte of a file that says 1 Hz would become sixty kilobytes at 16 kHz. */
    MIN_FILE_RATE = 1000,
    MAX_FILE_RATE = 10000000
};

/* libsndfile's words for these are about system calls; say it before it does. */
static lull_status check_readable(const char *path, lull_error *error) {
    struct stat status;
    if (stat(path, &status) != 0) {
        return base_fail(error, LULL_IO, "cannot open '%s': %s", path, strerror(errno));
    }
    if (S_ISDIR(status.st_mode)) {
        return base_fail(error, LULL_IO, "cannot read '%s': it is a directory, not a recording",
                         path);
    }
    if (S_ISREG(status.st_mode) && status.st_size == 0) {
        return base_fail(error, LULL_FORMAT, "'%s' is empty", path);
    }
    return LULL_OK;
}

/* libsndfile mends the length of a WAV file that ends early and says so in its log: "data : 32000
 * (should be 19957)". What is written to a pipe promises 0 or nearly 2^31 or 2^32 bytes, which is no
 * promise. */
static bool is_truncated(SNDFILE *file) {
    char log[4096] = "";
    unsigned long long promised = 0, there = 0;
    sf_command(file, SFC_GET_LOG_INFO, log, (int)sizeof log);
    const char *line = strstr(log, "data : ");
    if (!line || sscanf(line, "data : %llu (should be %llu)", &promised, &there) != 2) return false;
    return promised > there + 1 && promised < 0x7ffff000u;
}

/* A recording in memory, as a file. */
typedef struct audio_bytes {
    const unsigned char *bytes;
    sf_count_t size, at;
} audio_bytes;

static sf_count_t bytes_length(void *context) {
    return ((const audio_bytes *)context)->size;
}

static sf_count_t bytes_seek(sf_count_t offset, int whence, void *context) {
    audio_bytes *b = context;
    sf_count_t at = offset + (whence == SEEK_CUR ? b->at : whence == SEEK_END ? b->size : 0);
    return b->at = at < 0 ? 0 : at > b->size ? b->size : at;
}

static sf_count_t bytes_read(void *to, sf_count_t size, void *context) {
    audio_bytes *b = context;
    if (size > b->size - b->at) size = b->size - b->at;
    if (size > 0) memcpy(to, b->bytes + b->at, (size_t)size);
    b->at += size;
    return size;
}

static sf_count_t bytes_write(const void *from, sf_count_t size, void *context) {
    (void)from, (void)size, (void)context;
    return 0;
}

static sf_count_t bytes_tell(void *context) {
    return ((const audio_bytes *)context)->at;
}

/* memory: what the file is, or NULL for the file of that name. */
static lull_status open_recording(const char *path, audio_bytes *memory, SNDFILE **file,
                                  recording_info *info, lull_error *error) {
    SF_VIRTUAL_IO io = {bytes_length, bytes_seek, bytes_read, bytes_write, bytes_tell};
    lull_status status = memory ? LULL_OK : check_readable(path, error);
    if (status) return status;
    SF_INFO header = {0};
    *file =
        memory ? sf_open_virtual(&io, SFM_READ, &header, memory) : sf_open(path, SFM_READ, &header);
    if (!*file) {
        int code = sf_error(NULL);
        return base_fail(error, code == SF_ERR_SYSTEM ? LULL_IO : LULL_FORMAT,
                         "cannot read '%s' as a recording: %s What can be read: WAV, FLAC, Ogg "
                         "(Vorbis, Opus), MP3, AIFF, AU, W64; of others 'ffmpeg -i FILE out.wav' "
                         "makes a WAV",
                         path, sf_strerror(NULL));
    }
    if (header.channels < 1 || header.channels > MAX_CHANNELS ||
        header.samplerate < MIN_FILE_RATE || header.samplerate > MAX_FILE_RATE ||
        header.frames < 0) {
        sf_close(*file);
        *file = NULL;
        return base_fail(
            error, LULL_FORMAT,
            "'%s': its header says %d channels at %d Hz, which is no recording of speech; mels are "
            "read as .npy",
            path, header.channels, header.samplerate);
    }
    *info = (recording_info){header.samplerate, header.channels, (size_t)header.frames,
                             is_truncated(*file)};
    return LULL_OK;
}

lull_status recording_file_info(const char *path, recording_info *info, lull_error *error) {
    *info = (recording_info){0};
    SNDFILE *file;
    lull_status status = open_recording(path, NULL, &file, info, error);
    if (!status) sf_close(file);
    return status;
}

/* Reads up to `frames` frames and mixes them down, in place: block has room for all channels. */
static lull_status read_block(SNDFILE *file, const char *path, int channels, float *block,
                              size_t frames, size_t *got, lull_error *error) {
    sf_count_t count = sf_readf_float(file, block, (sf_count_t)frames);
    *got = count > 0 ? (size_t)count : 0;
    if (sf_error(file) != SF_ERR_NO_ERROR) {
        return base_fail(error, LULL_FORMAT, "'%s' is damaged: %s", path, sf_strerror(file));
    }
    for (size_t i = 0; i < *got; i++) {
        float sum = 0;
        for (int c = 0; c < channels; c++) sum += block[i * (size_t)channels + (size_t)c];
        if (!isfinite(sum)) {
            return base_fail(error, LULL_NOT_FINITE,
                             "'%s' holds samples that are not finite numbers", path);
        }
        block[i] = sum / (float)channels;
    }
    return LULL_OK;
}

/* A growing array that takes what the resampler gives. */
typedef struct collected {
    float *samples;
    size_t count, capacity;
} collected;

static lull_status collect(collected *to, recording_resampler *r, const float *in, size_t count,
                           bool last, const char *path, lull_error *error) {
    for (;;) {
        size_t consumed, produced, wanted = to->count + BLOCK_FLOATS;
        if (!base_grow((void **)&to->samples, &to->capacity, wanted, sizeof *to->samples)) {
            return base_fail(error, LULL_NO_MEMORY, "out of memory reading '%s'", path);
        }
        lull_status status =
            recording_resampler_run(r, in, count, &consumed, to->samples + to->count,
                                    to->capacity - to->count, &produced, last, error);
        if (status) return status;
        if (consumed > 0) in += consumed;
        count -= consumed;
        to->count += produced;
        if (consumed == 0 && produced == 0) return LULL_OK;
        if (count == 0 && !last) return LULL_OK;
    }
}

static lull_status read_all(const char *path, audio_bytes *memory, int rate, float **samples,
                            size_t *count, recording_info *info_out, lull_error *error) {
    *samples = NULL;
    *count = 0;
    SNDFILE *file = NULL;
    float *block = NULL;
    recording_resampler *r = NULL;
    collected all = {0};
    recording_info info;
    lull_status status = open_recording(path, memory, &file, &info, error);
    if (status) return status;
    block = base_alloc(BLOCK_FLOATS, sizeof *block);
    if (!block) status = base_no_memory(error);
    if (!status)
        status = recording_resampler_new(info.rate, rate > 0 ? rate : info.rate, &r, error);
    /* What the header says of the length is not trusted: frames are counted as they come. */
    size_t frames = 0, got;
    while (!status) {
        status = read_block(file, path, info.channels, block, BLOCK_FLOATS / (size_t)info.channels,
                            &got, error);
        if (status || got == 0) break;
        frames += got;
        status = collect(&all, r, block, got, false, path, error);
    }
    if (!status && frames == 0) {
        status = base_fail(error, LULL_FORMAT, "'%s' has no sound in it (0 frames)", path);
    }
    if (!status) status = collect(&all, r, NULL, 0, true, path, error);
    if (!status && all.count == 0) {
        status = base_fail(error, LULL_FORMAT, "'%s' is too short to resample (%zu frames)", path,
                           frames);
    }
    recording_resampler_free(r);
    base_free(block);
    sf_close(file);
    if (status) {
        base_free(all.samples);
        return status;
    }
    info.frames = frames;
    if (info_out) *info_out = info;
    *samples = all.samples;
    *count = all.count;
    return LULL_OK;
}

lull_status recording_file_read(const char *path, int rate, float **samples, size_t *count,
                                recording_info *info, lull_error *error) {
    return read_all(path, NULL, rate, samples, count, info, error);
}

lull_status recording_file_parse(const void *bytes, size_t size, const char *name, int rate,
                                 float **samples, size_t *count, recording_info *info,
                                 lull_error *error) {
    audio_bytes memory = {bytes, (sf_count_t)size, 0};
    return read_all(name, &memory, rate, samples, count, info, error);
}

/* The mark that ends the WAV files of audio_writer.c. libsndfile does not look there in RF64. */
static bool ends_with_mark(const char *path) {
    char last[18];
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    bool marked = fseek(file, -(long)sizeof last, SEEK_END) == 0 &&
                  fread(last, 1, sizeof last, file) == sizeof last &&
                  memcmp(last, "INFOISFT", 8) == 0 && memcmp(last + 12, "lull", 5) == 0;
    fclose(file);
    return marked;
}

bool recording_file_is_ours(const char *path) {
    SNDFILE *file = NULL;
    recording_info info;
    if (ends_with_mark(path)) return true;
    if (open_recording(path, NULL, &file, &info, NULL) != LULL_OK) return false;
    const char *software = sf_get_string(file, SF_STR_SOFTWARE);
    bool ours = software && strncmp(software, "lull", 4) == 0;
    sf_close(file);
    return ours;
}

bool recording_file_begins(const void *bytes, size_t size) {
    static const char *const starts[] = {"RIFF", "RF64", "RIFX", "fLaC",
                                         "OggS", "FORM", ".snd", "ID3"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        size_t length = strlen(starts[i]);
        if (size >= length && memcmp(bytes, starts[i], length) == 0) return true;
    }
    return false;
}

lull_status recording_file_read_part(const char *path, size_t first, size_t count, float *samples,
                                     size_t *got, lull_error *error) {
    if (got) *got = 0;
    if (count > 0) memset(samples, 0, count * sizeof *samples);
    SNDFILE *file;
    recording_info info;
    lull_status status = open_recording(path, NULL, &file, &info, error);
    if (status) return status;
    size_t left = first < info.frames ? info.frames - first : 0, done = 0;
    if (left > count) left = count;
    float *block = NULL;
    if (left > 0) {
        block = base_alloc(BLOCK_FLOATS, sizeof *block);
        if (!block) status = base_no_memory(error);
    }
    if (!status && left > 0 && sf_seek(file, (sf_count_t)first, SEEK_SET) != (sf_count_t)first) {
        status = base_fail(error, LULL_IO, "cannot go to frame %zu of '%s': %s", first, path,
                           sf_strerror(file));
    }
    while (!status && done < left) {
        size_t wanted = BLOCK_FLOATS / (size_t)info.channels, read;
        if (wanted > left - done) wanted = left - done;
        status = read_block(file, path, info.channels, block, wanted, &read, error);
        if (status || read == 0) break;
        memcpy(samples + done, block, read * sizeof *samples);
        done += read;
    }
    if (got) *got = done;
    base_free(block);
    sf_close(file);
    return status;
}
