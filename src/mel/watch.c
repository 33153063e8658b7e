/* The check of a stream's first frames. */
#include "mel/watch.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"

struct mel_watch {
    mel_convention convention;
    float *frames; /* the first ones */
    size_t known;
};

lull_status mel_watch_new(const mel_convention *convention, mel_watch **watch, lull_error *error) {
    *watch = NULL;
    mel_watch *w = base_alloc(1, sizeof *w);
    if (!w) return base_no_memory(error);
    w->convention = *convention;
    w->frames = base_alloc(MEL_WATCH_FRAMES, (size_t)convention->bands * sizeof(float));
    if (!w->frames) {
        base_free(w);
        return base_no_memory(error);
    }
    *watch = w;
    return LULL_OK;
}

lull_status mel_watch_push(mel_watch *watch, const float *frames, size_t n, const char *name,
                           lull_error *error) {
    const size_t bands = (size_t)watch->convention.bands, room = MEL_WATCH_FRAMES - watch->known;
    if (room == 0) return LULL_OK;
    if (n > room) n = room;
    memcpy(watch->frames + watch->known * bands, frames, n * bands * sizeof *frames);
    watch->known += n;
    return mel_convention_check_frames(&watch->convention, watch->frames, watch->known, name,
                                       error);
}

void mel_watch_reset(mel_watch *watch) {
    watch->known = 0;
}

void mel_watch_free(mel_watch *watch) {
    if (!watch) return;
    base_free(watch->frames);
    base_free(watch);
}
