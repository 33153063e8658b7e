/* Recordings out: WAV, whose header is written here, and what libsndfile encodes. */
#include "recording/audio_file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sndfile.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/memory.h"

/* WAV's header is written here and not by libsndfile, because a stream on a pipe needs lengths that
 * say "unknown" (0xffffffff) and are never gone back to, and because each failed write has to be
 * seen. */

enum {
    BUFFER_BYTES = 65536,
    MOST_HEADER = 128,
    MOST_RATE = 10000000,
    DS64_BYTES = 28,
    MARK_BYTES = 26
};

static uint64_t most_bytes = UINT32_MAX; /* that the lengths of a WAV header can say */

void recording_writer_limit(uint64_t bytes) {
    most_bytes = bytes ? bytes : UINT32_MAX;
}

struct recording_writer {
    atomic_file *file; /* NULL for stdout */
    recording_format format;
    int rate;
    bool endless;  /* a pipe or device: its header is never gone back to */
    bool begun;    /* the header is in the buffer, or written */
    bool spare;    /* with room for the lengths of RF64 */
    bool expected; /* the length is known beforehand: */
    uint64_t expected_bytes;
    off_t start;         /* of the header, in a file that is not ours alone */
    uint64_t data_bytes; /* accepted so far */
    SNDFILE *encoder;    /* NULL: WAV */
    sf_count_t at;       /* where the encoder is in the file */
    lull_status status;  /* of its last write */
    lull_error *error;
    size_t used; /* of the buffer */
    unsigned char buffer[BUFFER_BYTES];
};

static const struct {
    const char *ending;
    int format;
} ENCODED[] = {
    {".flac", SF_FORMAT_FLAC},
    {".ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS},
    {".oga", SF_FORMAT_OGG | SF_FORMAT_VORBIS},
    {".opus", SF_FORMAT_OGG | SF_FORMAT_OPUS},
    {".mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III},
};

static const char *ending_of(const char *path) {
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    const char *name = slash ? slash + 1 : path;
    return dot && dot > name ? dot : "";
}

/* libsndfile's format of a name, 0 for WAV, -1 for a name that promises something else. */
static int format_of(const char *path) {
    struct stat facts;
    const char *ending = ending_of(path);
    for (size_t i = 0; i < sizeof ENCODED / sizeof *ENCODED; i++)
        if (strcasecmp(ending, ENCODED[i].ending) == 0) return ENCODED[i].format;
    if (*ending == '\0' || strcasecmp(ending, ".wav") == 0 || strcasecmp(ending, ".wave") == 0)
        return 0;
    /* The names of pipes and devices promise nothing. */
    return stat(path, &facts) == 0 && !S_ISREG(facts.st_mode) ? 0 : -1;
}

lull_status recording_writer_check(const char *path, bool *lossy, lull_error *error) {
    int format = format_of(path);
    if (lossy) *lossy = format > 0 && format != SF_FORMAT_FLAC;
    if (format >= 0) return LULL_OK;
    return base_fail(error, LULL_INVALID,
                     "%s: what is written is .wav, .flac, .ogg, .opus or .mp3, by the name's "
                     "ending; '%s' is none of these",
                     path, ending_of(path));
}

/* ---- the header ----------------------------------------------------------------------------- */

static unsigned char *put16(unsigned char *at, uint32_t value) {
    at[0] = (unsigned char)value;
    at[1] = (unsigned char)(value >> 8);
    return at + 2;
}

static unsigned char *put32(unsigned char *at, uint32_t value) {
    return put16(put16(at, value & 0xffff), value >> 16);
}

static unsigned char *put64(unsigned char *at, uint64_t value) {
    return put32(put32(at, (uint32_t)value), (uint32_t)(value >> 32));
}

static unsigned char *put_tag(unsigned char *at, const char *tag) {
    memcpy(at, tag, 4);
    return at + 4;
}

/* RIFF/WAVE with the chunks fmt, fact (what is not PCM needs it) and data; `data` bytes, or unknown.
 * With the spare room a file beyond what 32 bits say becomes RF64 (EBU Tech 3306): its lengths stand
 * in the chunk ds64, where JUNK was. Gives the header's size. */
static size_t make_header(unsigned char *out, const recording_writer *w, bool known,
                          uint64_t data) {
    bool is_float = w->format == RECORDING_FLOAT;
    uint32_t size = (uint32_t)recording_pcm_bytes(w->format);
    uint64_t behind = w->endless ? 0 : MARK_BYTES;
    uint64_t header = (is_float ? 58u : 44u) + (w->spare ? 8u + DS64_BYTES : 0u);
    /* An odd chunk is followed by a byte that its own length does not count. */
    uint64_t riff = header - 8 + data + (data & 1) + behind;
    bool large = w->spare && known && riff > most_bytes;
    bool said = known && !large && riff <= most_bytes;
    unsigned char *at = put_tag(out, large ? "RF64" : "RIFF");
    at = put32(at, said ? (uint32_t)riff : UINT32_MAX);
    at = put_tag(at, "WAVE");
    if (w->spare) {
        at = put32(put_tag(at, large ? "ds64" : "JUNK"), DS64_BYTES);
        at = put64(at, large ? riff : 0);
        at = put64(at, large ? data : 0);
        at = put64(at, large ? data / size : 0);
        at = put32(at, 0);
    }
    at = put_tag(at, "fmt ");
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
        at = put32(at, said ? (uint32_t)(data / size) : UINT32_MAX);
    }
    at = put32(put_tag(at, "data"), said ? (uint32_t)data : UINT32_MAX);
    return (size_t)(at - out);
}

/* Who wrote it, behind the samples: "lull". */
static size_t make_mark(unsigned char *out) {
    unsigned char *at = put32(put_tag(out, "LIST"), MARK_BYTES - 8);
    at = put32(put_tag(put_tag(at, "INFO"), "ISFT"), 6);
    memcpy(at, "lull\0", 6);
    return (size_t)(at + 6 - out);
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static lull_status write_failed(const recording_writer *w, int number, lull_error *error) {
    if (w->file) return atomic_file_failed(w->file, number, error);
    return base_fail(error, LULL_IO, "cannot write to standard output: %s", strerror(number));
}

static lull_status flush(recording_writer *w, lull_error *error) {
    size_t used = w->used, done = 0;
    w->used = 0;
    if (w->file) return atomic_file_write(w->file, w->buffer, used, error);
    while (done < used) {
        ssize_t written = write(STDOUT_FILENO, w->buffer + done, used - done);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return write_failed(w, written < 0 ? errno : ENOSPC, error);
        done += (size_t)written;
    }
    return LULL_OK;
}

static int descriptor_of(const recording_writer *w) {
    return w->file ? atomic_file_descriptor(w->file) : STDOUT_FILENO;
}

static lull_status write_at(recording_writer *w, const unsigned char *bytes, size_t size, off_t at,
                            lull_error *error) {
    while (size > 0) {
        ssize_t written = pwrite(descriptor_of(w), bytes, size, at);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return write_failed(w, written < 0 ? errno : ENOSPC, error);
        bytes += written;
        size -= (size_t)written;
        at += written;
    }
    return LULL_OK;
}

/* ---- what libsndfile encodes ------------------------------------------------------------------ */

static sf_count_t encoded_length(void *context) {
    struct stat facts;
    return fstat(descriptor_of(context), &facts) == 0 ? facts.st_size : 0;
}

static sf_count_t encoded_seek(sf_count_t offset, int whence, void *context) {
    recording_writer *w = context;
    sf_count_t from = whence == SEEK_CUR ? w->at : whence == SEEK_END ? encoded_length(w) : 0;
    return w->at = from + offset;
}

static sf_count_t encoded_read(void *bytes, sf_count_t size, void *context) {
    recording_writer *w = context;
    ssize_t got = pread(descriptor_of(w), bytes, (size_t)size, (off_t)w->at);
    if (got > 0) w->at += got;
    return got > 0 ? got : 0;
}

static sf_count_t encoded_write(const void *bytes, sf_count_t size, void *context) {
    recording_writer *w = context;
    lull_status status = write_at(w, bytes, (size_t)size, (off_t)w->at, w->error);
    if (status) w->status = status;
    if (status) return 0;
    w->at += size;
    return size;
}

static sf_count_t encoded_tell(void *context) {
    return ((const recording_writer *)context)->at;
}

static lull_status open_encoder(recording_writer *w, const char *path, int format,
                                lull_error *error) {
    SF_VIRTUAL_IO io = {encoded_length, encoded_seek, encoded_read, encoded_write, encoded_tell};
    if (w->endless)
        return base_fail(error, LULL_INVALID, "%s: a pipe or device takes WAV only", path);
    if (format == SF_FORMAT_FLAC && w->format == RECORDING_FLOAT)
        return base_fail(error, LULL_INVALID, "%s: FLAC holds pcm16 or pcm24, not float", path);
    if (format == SF_FORMAT_FLAC)
        format |= w->format == RECORDING_PCM24 ? SF_FORMAT_PCM_24 : SF_FORMAT_PCM_16;
    SF_INFO info = {.samplerate = w->rate, .channels = 1, .format = format};
    w->error = error;
    w->encoder = sf_open_virtual(&io, SFM_WRITE, &info, w);
    if (!w->encoder) {
        bool opus = (format & SF_FORMAT_SUBMASK) == SF_FORMAT_OPUS;
        return base_fail(error, LULL_UNSUPPORTED, "%s: cannot be written at %d Hz: %s", path,
                         w->rate,
                         opus ? "Opus takes 8000, 12000, 16000, 24000 or 48000 Hz ('lull synth' "
                                "with --rate 24000)"
                              : sf_strerror(NULL));
    }
    sf_set_string(w->encoder, SF_STR_SOFTWARE, "lull");
    return LULL_OK;
}

/* The same integers as in WAV; floats to encoders that have a scale of their own. */
static lull_status encode(recording_writer *w, const float *samples, size_t count,
                          lull_error *error) {
    enum { BLOCK = 4096 };
    int whole[BLOCK];
    unsigned char bytes[BLOCK * 4];
    SF_INFO info = {0};
    sf_command(w->encoder, SFC_GET_CURRENT_SF_INFO, &info, sizeof info);
    bool flac = (info.format & SF_FORMAT_TYPEMASK) == SF_FORMAT_FLAC;
    size_t size = recording_pcm_bytes(w->format);
    w->error = error;
    while (count > 0) {
        size_t n = count < BLOCK ? count : BLOCK;
        sf_count_t written;
        if (flac) {
            recording_pcm_encode(w->format, samples, n, bytes);
            for (size_t i = 0; i < n; i++) {
                uint32_t value = 0;
                for (size_t b = 0; b < size; b++)
                    value |= (uint32_t)bytes[i * size + b] << 8 * (4 - size + b);
                whole[i] = (int)value;
            }
            written = sf_write_int(w->encoder, whole, (sf_count_t)n);
        } else {
            written = sf_write_float(w->encoder, samples, (sf_count_t)n);
        }
        if (w->status) return w->status;
        if (written != (sf_count_t)n)
            return base_fail(error, LULL_IO, "cannot encode: %s", sf_strerror(w->encoder));
        samples += n;
        count -= n;
    }
    return LULL_OK;
}

/* ---- a recording ----------------------------------------------------------------------------- */

/* Whether the header can be gone back to, and where it is. */
static void find_start(recording_writer *w) {
    w->start = lseek(descriptor_of(w), 0, SEEK_CUR);
    int flags = fcntl(descriptor_of(w), F_GETFL);
    /* What is appended goes to the end, wherever one writes. */
    w->endless = w->start < 0 || flags < 0 || (flags & O_APPEND) != 0;
}

lull_status recording_writer_open(const char *path, int rate, recording_format format,
                                  recording_writer **out, lull_error *error) {
    *out = NULL;
    if (rate < 1 || rate > MOST_RATE) {
        return base_fail(error, LULL_INVALID, "'%s': a sample rate of %d Hz cannot be written",
                         path, rate);
    }
    bool file = strcmp(path, "-") != 0;
    lull_status status = file ? recording_writer_check(path, NULL, error) : LULL_OK;
    if (status) return status;
    recording_writer *w = base_alloc(1, sizeof *w);
    if (!w) return base_no_memory(error);
    w->format = format;
    w->rate = rate;
    if (file) status = atomic_file_open(path, &w->file, error);
    if (!status) find_start(w);
    if (!status && file && format_of(path) > 0)
        status = open_encoder(w, path, format_of(path), error);
    if (status) {
        recording_writer_abandon(w);
        return status;
    }
    *out = w;
    return LULL_OK;
}

void recording_writer_expect(recording_writer *w, uint64_t samples) {
    w->expected = true;
    w->expected_bytes = samples * recording_pcm_bytes(w->format);
}

static void begin(recording_writer *w) {
    w->begun = true;
    /* What may become longer than 32 bits can say gets room for more. */
    w->spare = !w->endless && (!w->expected || w->expected_bytes > most_bytes - MOST_HEADER);
    w->used = make_header(w->buffer, w, w->expected, w->expected_bytes);
}

lull_status recording_writer_write(recording_writer *w, const float *samples, size_t count,
                                   lull_error *error) {
    uint32_t size = (uint32_t)recording_pcm_bytes(w->format);
    for (size_t i = 0; i < count; i++)
        if (!isfinite(samples[i]))
            return base_fail(error, LULL_NOT_FINITE,
                             "a sample to be written is not a finite number");
    if (w->encoder) return encode(w, samples, count, error);
    if (!w->begun) begin(w);
    for (size_t i = 0; i < count; i++) {
        if (w->used + size > BUFFER_BYTES) {
            lull_status status = flush(w, error);
            if (status) return status;
        }
        recording_pcm_encode(w->format, &samples[i], 1, w->buffer + w->used);
        w->used += size;
        w->data_bytes += size;
    }
    /* Who listens to a stream wants it now. */
    return w->endless ? flush(w, error) : LULL_OK;
}

/* The mark, and the header again, now that the length is known. */
static lull_status complete_wav(recording_writer *w, lull_error *error) {
    unsigned char header[MOST_HEADER];
    if (!w->begun) begin(w);
    lull_status status = flush(w, error);
    if (status || w->endless) return status;
    if (w->data_bytes & 1) w->buffer[w->used++] = 0;
    w->used += make_mark(w->buffer + w->used);
    status = flush(w, error);
    if (status) return status;
    size_t size = make_header(header, w, true, w->data_bytes);
    return write_at(w, header, size, w->start, error);
}

static lull_status complete_encoded(recording_writer *w, lull_error *error) {
    w->error = error;
    int failed = sf_close(w->encoder);
    w->encoder = NULL;
    if (w->status) return w->status;
    return failed ? base_fail(error, LULL_IO, "cannot encode: %s", sf_error_number(failed))
                  : LULL_OK;
}

lull_status recording_writer_commit(recording_writer *w, lull_error *error) {
    lull_status status = w->encoder ? complete_encoded(w, error) : complete_wav(w, error);
    if (status) {
        recording_writer_abandon(w);
        return status;
    }
    if (w->file) status = atomic_file_commit(w->file, error);
    base_free(w);
    return status;
}

void recording_writer_abandon(recording_writer *w) {
    lull_error ignored;
    if (!w) return;
    w->error = &ignored;
    if (w->encoder) sf_close(w->encoder);
    atomic_file_abandon(w->file);
    base_free(w);
}
