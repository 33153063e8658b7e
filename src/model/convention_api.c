/* The public conventions around src/mel's. */
#include "model/convention_api.h"

#include "base/error.h"
#include "base/memory.h"
#include "model/config.h"
#include "model/convention_text.h"

lull_status lull_convention_new(const char *text, lull_convention **convention, lull_error *error) {
    if (!convention)
        return base_fail(error, LULL_INVALID, "lull_convention_new: convention is NULL");
    *convention = NULL;
    if (!text) return base_fail(error, LULL_INVALID, "lull_convention_new: text is NULL");
    lull_convention *c = base_alloc(1, sizeof *c);
    if (!c) return base_no_memory(error);
    lull_status status = model_convention_read(text, 0, &c->convention, error);
    if (!status) c->json = model_convention_print(&c->convention);
    if (!status && !c->json) status = base_no_memory(error);
    if (status)
        lull_convention_free(c);
    else
        *convention = c;
    return status;
}

void lull_convention_free(lull_convention *convention) {
    if (!convention) return;
    base_free(convention->json);
    base_free(convention);
}

const char *lull_convention_json(const lull_convention *convention) {
    return convention ? convention->json : NULL;
}

lull_status lull_convention_check(const lull_convention *convention, const float *frames, size_t n,
                                  const char *name, lull_error *error) {
    if (!convention || (!frames && n > 0))
        return base_fail(error, LULL_INVALID, "lull_convention_check: %s is NULL",
                         convention ? "frames" : "convention");
    return mel_convention_check_frames(&convention->convention, frames, n, name ? name : "the mel",
                                       error);
}
