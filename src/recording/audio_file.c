/* Recordings in through libsndfile and soxr, WAV files out. */
#include "recording/audio_file.h"

#include <errno.h>
#include <math.h>
#include <sndfile.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/memory.h"
#include "recording/resample.h"

/* ---- reading ------------------------------------------------------------------------------- */

enum {
    BLOCK_FLOATS = 32768, /* read at once, all channels together */
    MAX_CHANNELS = 1024,  /* libsndfile's own limit */
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

static lull_status open_recording(const char *path, SNDFILE **file, audio_info *info,
                                  lull_error *error) {
    lull_status status = check_readable(path, error);
    if (status) return status;
    SF_INFO header = {0};
    *file = sf_open(path, SFM_READ, &header);
    if (!*file) {
        int code = sf_error(NULL);
        return base_fail(error, code == SF_ERR_SYSTEM ? LULL_IO : LULL_FORMAT,
                         "cannot read '%s' as a recording: %s", path, sf_strerror(NULL));
    }
    if (header.channels < 1 || header.channels > MAX_CHANNELS ||
        header.samplerate < MIN_FILE_RATE || header.samplerate > MAX_FILE_RATE ||
        header.frames < 0) {
        sf_close(*file);
        *file = NULL;
        return base_fail(
            error, LULL_FORMAT,
            "'%s': its header says %d channels at %d Hz, which is no recording of speech", path,
            header.channels, header.samplerate);
    }
    *info = (audio_info){header.samplerate, header.channels, (size_t)header.frames};
    return LULL_OK;
}

lull_status audio_file_info(const char *path, audio_info *info, lull_error *error) {
    *info = (audio_info){0};
    SNDFILE *file;
    lull_status status = open_recording(path, &file, info, error);
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

static lull_status collect(collected *to, resampler *r, const float *in, size_t count, bool last,
                           const char *path, lull_error *error) {
    for (;;) {
        size_t consumed, produced, wanted = to->count + BLOCK_FLOATS;
        if (!base_grow((void **)&to->samples, &to->capacity, wanted, sizeof *to->samples)) {
            return base_fail(error, LULL_NO_MEMORY, "out of memory reading '%s'", path);
        }
        lull_status status = resampler_run(r, in, count, &consumed, to->samples + to->count,
                                           to->capacity - to->count, &produced, last, error);
        if (status) return status;
        if (consumed > 0) in += consumed;
        count -= consumed;
        to->count += produced;
        if (consumed == 0 && produced == 0) return LULL_OK;
        if (count == 0 && !last) return LULL_OK;
    }
}

lull_status audio_file_read(const char *path, int rate, float **samples, size_t *count,
                            audio_info *info_out, lull_error *error) {
    *samples = NULL;
    *count = 0;
    SNDFILE *file = NULL;
    float *block = NULL;
    resampler *r = NULL;
    collected all = {0};
    audio_info info;
    lull_status status = open_recording(path, &file, &info, error);
    if (status) return status;
    block = base_alloc(BLOCK_FLOATS, sizeof *block);
    if (!block) status = base_no_memory(error);
    if (!status) status = resampler_new(info.rate, rate > 0 ? rate : info.rate, &r, error);
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
    resampler_free(r);
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

lull_status audio_file_read_part(const char *path, size_t first, size_t count, float *samples,
                                 size_t *got, lull_error *error) {
    if (got) *got = 0;
    if (count > 0) memset(samples, 0, count * sizeof *samples);
    SNDFILE *file;
    audio_info info;
    lull_status status = open_recording(path, &file, &info, error);
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

/* ---- writing ------------------------------------------------------------------------------- */

/* The header is written here and not by libsndfile, because a stream on a pipe needs lengths that
 * say "unknown" (0xffffffff) and are never gone back to, and because each failed write has to be
 * seen. */

enum { BUFFER_BYTES = 65536, HEADER_BYTES = 44, FLOAT_HEADER_BYTES = 58 };

struct audio_writer {
    atomic_file *file; /* NULL for stdout */
    audio_format format;
    int rate;
    bool endless;        /* a pipe or device: its header is never gone back to */
    uint64_t data_bytes; /* accepted so far */
    size_t used;         /* of the buffer */
    unsigned char buffer[BUFFER_BYTES];
};

static unsigned char *put16(unsigned char *at, uint32_t value) {
    at[0] = (unsigned char)value;
    at[1] = (unsigned char)(value >> 8);
    return at + 2;
}

static unsigned char *put32(unsigned char *at, uint32_t value) {
    return put16(put16(at, value & 0xffff), value >> 16);
}

static unsigned char *put_tag(unsigned char *at, const char *tag) {
    memcpy(at, tag, 4);
    return at + 4;
}

/* RIFF/WAVE with the chunks fmt, fact (what is not PCM needs it) and data. Gives the header's size.
 */
static size_t make_header(unsigned char *out, const audio_writer *w, bool known) {
    bool is_float = w->format == AUDIO_FLOAT;
    uint32_t size = (uint32_t)pcm_bytes(w->format),
             header = is_float ? FLOAT_HEADER_BYTES : HEADER_BYTES;
    uint32_t data = known ? (uint32_t)w->data_bytes : UINT32_MAX;
    unsigned char *at = put_tag(out, "RIFF");
    /* An odd chunk is followed by a byte that its own length does not count. */
    at = put32(at, known ? data + (data & 1) + header - 8 : UINT32_MAX);
    at = put_tag(put_tag(at, "WAVE"), "fmt ");
    at = put32(at, is_float ? 18 : 16);
    at = put16(at, is_float ? 3 : 1); /* IEEE float or PCM */
    at = put16(at, 1);
    at = put32(at, (uint32_t)w->rate);
    at = put32(at, (uint32_t)w->rate * size);
    at = put16(at, size);
    at = put16(at, 8 * size);
    if (is_float) {
        at = put16(at, 0);
        at = put32(put_tag(at, "fact"), 4);
        at = put32(at, known ? data / size : UINT32_MAX);
    }
    at = put32(put_tag(at, "data"), data);
    return (size_t)(at - out);
}

static lull_status flush(audio_writer *w, lull_error *error) {
    size_t used = w->used, done = 0;
    w->used = 0;
    if (w->file) return atomic_file_write(w->file, w->buffer, used, error);
    while (done < used) {
        ssize_t written = write(STDOUT_FILENO, w->buffer + done, used - done);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) {
            return base_fail(error, LULL_IO, "cannot write to standard output: %s",
                             strerror(written < 0 ? errno : ENOSPC));
        }
        done += (size_t)written;
    }
    return LULL_OK;
}

lull_status audio_writer_open(const char *path, int rate, audio_format format, audio_writer **out,
                              lull_error *error) {
    *out = NULL;
    if (rate < 1 || rate > MAX_FILE_RATE) {
        return base_fail(error, LULL_INVALID, "'%s': a sample rate of %d Hz cannot be written",
                         path, rate);
    }
    audio_writer *w = base_alloc(1, sizeof *w);
    if (!w) return base_no_memory(error);
    w->format = format;
    w->rate = rate;
    w->endless = true;
    if (strcmp(path, "-") != 0) {
        lull_status status = atomic_file_open(path, &w->file, error);
        if (status) {
            base_free(w);
            return status;
        }
        w->endless = lseek(atomic_file_descriptor(w->file), 0, SEEK_CUR) < 0;
    }
    w->used = make_header(w->buffer, w, false);
    *out = w;
    return LULL_OK;
}

lull_status audio_writer_write(audio_writer *w, const float *samples, size_t count,
                               lull_error *error) {
    uint32_t size = (uint32_t)pcm_bytes(w->format);
    /* The lengths in the header have 32 bits. */
    uint64_t room = UINT32_MAX - FLOAT_HEADER_BYTES - 1 - w->data_bytes;
    if (w->file && !w->endless && count > room / size) {
        return base_fail(error, LULL_UNSUPPORTED,
                         "a WAV file cannot be longer than 4 GiB: write it in parts, or as pcm16");
    }
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(samples[i])) {
            return base_fail(error, LULL_NOT_FINITE,
                             "a sample to be written is not a finite number");
        }
        if (w->used + size > BUFFER_BYTES) {
            lull_status status = flush(w, error);
            if (status) return status;
        }
        pcm_encode(w->format, &samples[i], 1, w->buffer + w->used);
        w->used += size;
        w->data_bytes += size;
    }
    /* Who listens to a stream wants it now. */
    return w->endless ? flush(w, error) : LULL_OK;
}

/* Goes back to the header, now that the length is known. */
static lull_status complete_header(audio_writer *w, lull_error *error) {
    unsigned char header[FLOAT_HEADER_BYTES];
    size_t size = make_header(header, w, true), done = 0;
    while (done < size) {
        ssize_t written =
            pwrite(atomic_file_descriptor(w->file), header + done, size - done, (off_t)done);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) {
            return base_fail(error, LULL_IO, "cannot write '%s': %s",
                             atomic_file_temporary_path(w->file),
                             strerror(written < 0 ? errno : ENOSPC));
        }
        done += (size_t)written;
    }
    return LULL_OK;
}

lull_status audio_writer_commit(audio_writer *w, lull_error *error) {
    lull_status status = flush(w, error);
    if (!status && !w->endless && (w->data_bytes & 1)) {
        w->buffer[w->used++] = 0;
        status = flush(w, error);
    }
    if (!status && !w->endless) status = complete_header(w, error);
    if (status) {
        audio_writer_abandon(w);
        return status;
    }
    if (w->file) status = atomic_file_commit(w->file, error);
    base_free(w);
    return status;
}

void audio_writer_abandon(audio_writer *w) {
    if (!w) return;
    atomic_file_abandon(w->file);
    base_free(w);
}
