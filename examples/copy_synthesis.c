/* Copy-synthesis with liblull: a recording's mel spectrogram, made into speech again.
 *
 *     cc copy_synthesis.c $(pkg-config --cflags --libs lull) -lm -o copy_synthesis
 *     ./copy_synthesis MODEL.safetensors IN.wav OUT.wav
 *
 * IN.wav: mono, 16 bits, at the model's sample rate. The output has the same length, up to the
 * last incomplete frame. */
#include <lull.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- just enough of WAV: 16 bits, one channel ---- */

static unsigned long number(const unsigned char *at, int bytes) {
    unsigned long value = 0;
    while (bytes-- > 0) value = value << 8 | at[bytes];
    return value;
}

static void put_number(unsigned char *at, unsigned long value, int bytes) {
    for (int i = 0; i < bytes; i++) at[i] = (unsigned char)(value >> 8 * i);
}

/* The samples, or NULL with a reason. */
static float *read_wav(const char *path, int rate, size_t *count, const char **why) {
    unsigned char head[12], chunk[8], format[16] = {0};
    float *samples = NULL;
    FILE *file = fopen(path, "rb");
    *why = "cannot be opened";
    if (!file) return NULL;
    *why = "is not a WAV file";
    if (fread(head, 1, 12, file) != 12 || memcmp(head, "RIFF", 4) || memcmp(head + 8, "WAVE", 4))
        goto done;
    while (fread(chunk, 1, 8, file) == 8) {
        unsigned long size = number(chunk + 4, 4);
        if (!memcmp(chunk, "fmt ", 4) && size >= 16) {
            if (fread(format, 1, 16, file) != 16) goto done;
            size -= 16;
        } else if (!memcmp(chunk, "data", 4)) {
            *why = "wants one channel of 16 bits at the model's sample rate";
            if (number(format, 2) != 1 || number(format + 2, 2) != 1 ||
                number(format + 14, 2) != 16 || number(format + 4, 4) != (unsigned long)rate)
                goto done;
            *count = size / 2;
            samples = malloc((*count + 1) * sizeof *samples);
            unsigned char two[2];
            size_t n = 0;
            while (samples && n < *count && fread(two, 1, 2, file) == 2)
                samples[n++] = (float)(short)number(two, 2) / 32768.0f;
            *count = n;
            goto done;
        }
        if (fseek(file, (long)(size + size % 2), SEEK_CUR)) goto done;
    }
done:
    fclose(file);
    return samples;
}

static int write_wav(const char *path, const float *samples, size_t count, int rate) {
    unsigned char head[44] = "RIFF....WAVEfmt \20\0\0\0\1\0\1\0........\2\0\20\0data";
    put_number(head + 4, 36 + 2 * count, 4);
    put_number(head + 24, (unsigned long)rate, 4);
    put_number(head + 28, 2 * (unsigned long)rate, 4);
    put_number(head + 40, 2 * count, 4);
    FILE *file = fopen(path, "wb");
    if (!file) return 0;
    int fine = fwrite(head, 1, 44, file) == 44;
    for (size_t i = 0; i < count; i++) {
        unsigned char two[2];
        long value = lrintf(32767 * fminf(fmaxf(samples[i], -1), 1));
        put_number(two, (unsigned long)value, 2);
        fine &= fwrite(two, 1, 2, file) == 2;
    }
    return !fclose(file) && fine;
}

/* ---- what liblull is asked for ---- */

/* All mel frames of a recording. */
static lull_status analyse(const lull_model *model, const float *samples, size_t count,
                           float *frames, size_t room, size_t *n, lull_error *error) {
    lull_mel *mel = NULL;
    lull_status status = lull_mel_new(model, &mel, error);
    if (!status) status = lull_mel_push(mel, samples, count, error);
    if (!status) status = lull_mel_finish(mel, error);
    if (!status) status = lull_mel_pull(mel, frames, room, n, error);
    lull_mel_free(mel);
    return status;
}

/* n frames to n × hop samples: what is ready is pulled whenever the vocoder takes no more frames.
 */
static lull_status synthesize(lull_vocoder *vocoder, const float *frames, size_t n, size_t bands,
                              float *out, size_t room, size_t *count, lull_error *error) {
    *count = 0;
    while (!lull_vocoder_ended(vocoder)) {
        size_t accepted = 0, produced = 0;
        lull_status status = LULL_OK;
        if (n > 0)
            status = lull_vocoder_push(vocoder, frames, n, &accepted, error);
        else
            lull_vocoder_finish(vocoder); /* again and again is fine */
        if (!status)
            status = lull_vocoder_pull(vocoder, out + *count, room - *count, &produced, error);
        if (status) return status;
        frames += accepted * bands;
        n -= accepted;
        *count += produced;
    }
    return LULL_OK;
}

int main(int argc, char **argv) {
    lull_error error = {LULL_OK, ""};
    lull_model *model = NULL;
    lull_vocoder *vocoder = NULL;
    float *in = NULL, *frames = NULL, *out = NULL;
    size_t count = 0, n = 0, produced = 0;
    const char *why = "";
    if (argc != 4) {
        fprintf(stderr, "usage: %s MODEL IN.wav OUT.wav\n", argv[0]);
        return 2;
    }
    if (lull_model_open(argv[1], &model, &error)) goto done;
    const lull_model_info *info = lull_model_get_info(model);
    size_t bands = (size_t)info->bands, hop = (size_t)info->hop;

    lull_options options;
    lull_options_init(&options);
    options.use = LULL_OFFLINE; /* a file: quality over latency */
    if (lull_vocoder_new(model, &options, &vocoder, &error)) goto done;

    in = read_wav(argv[2], info->sample_rate, &count, &why);
    if (!in) {
        snprintf(error.message, sizeof error.message, "%s %s", argv[2], why);
        error.status = LULL_IO;
        goto done;
    }
    size_t room = count / hop + 2;
    frames = malloc(room * bands * sizeof *frames);
    out = malloc(room * hop * sizeof *out);
    error.status = frames && out ? LULL_OK : LULL_NO_MEMORY;
    if (error.status) goto done;
    if (analyse(model, in, count, frames, room, &n, &error)) goto done;
    if (synthesize(vocoder, frames, n, bands, out, room * hop, &produced, &error)) goto done;
    if (!write_wav(argv[3], out, produced, info->sample_rate)) {
        snprintf(error.message, sizeof error.message, "%s cannot be written", argv[3]);
        error.status = LULL_IO;
        goto done;
    }
    printf("%s: %zu frames, %zu samples at %d Hz\n", info->name, n, produced, info->sample_rate);
done:
    if (error.status)
        fprintf(stderr, "%s\n", *error.message ? error.message : lull_strerror(error.status));
    free(in);
    free(frames);
    free(out);
    lull_vocoder_free(vocoder);
    lull_model_close(model);
    return error.status ? 1 : 0;
}
