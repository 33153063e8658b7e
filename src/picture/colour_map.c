/* Colours for numbers: see colour_map.h. */
#include "picture/colour_map.h"

#include <math.h>

/* Oklab, a space in which distances are near to what people see (Ottosson 2020, "A perceptual color
 * space for image processing"), to linear sRGB. */
static void linear_srgb(double lightness, double chroma, double hue, double rgb[3]) {
    double a = chroma * cos(hue * M_PI / 180), b = chroma * sin(hue * M_PI / 180);
    double l = pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
    double m = pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
    double s = pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
    rgb[0] = 4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s;
    rgb[1] = -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s;
    rgb[2] = -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s;
}

static bool displayable(const double rgb[3]) {
    for (int i = 0; i < 3; i++)
        if (rgb[i] < 0 || rgb[i] > 1) return false;
    return true;
}

/* sRGB's transfer curve (IEC 61966-2-1). */
static uint8_t encoded(double linear) {
    double v = fmin(fmax(linear, 0), 1);
    v = v <= 0.0031308 ? 12.92 * v : 1.055 * pow(v, 1 / 2.4) - 0.055;
    return (uint8_t)lround(255 * v);
}

/* Where no screen can show that much chroma, as much as it can. */
static picture_colour from_oklab(double lightness, double chroma, double hue) {
    double rgb[3], low = 0, high = chroma;
    linear_srgb(lightness, chroma, hue, rgb);
    if (!displayable(rgb)) {
        for (int i = 0; i < 20; i++) {
            double middle = (low + high) / 2;
            linear_srgb(lightness, middle, hue, rgb);
            *(displayable(rgb) ? &low : &high) = middle;
        }
        linear_srgb(lightness, low, hue, rgb);
    }
    return (picture_colour){encoded(rgb[0]), encoded(rgb[1]), encoded(rgb[2])};
}

void picture_colour_map_sequential(picture_colour_map *map) {
    for (int i = 0; i < PICTURE_COLOUR_MAP_STEPS; i++) {
        double part = (double)i / (PICTURE_COLOUR_MAP_STEPS - 1);
        double chroma = 0.03 + 0.17 * sin(M_PI * fmin(1, 0.04 + 0.88 * part));
        map->steps[i] = from_oklab(0.13 + 0.85 * part, chroma, 275 + 190 * part);
    }
}

void picture_colour_map_diverging(picture_colour_map *map) {
    for (int i = 0; i < PICTURE_COLOUR_MAP_STEPS; i++) {
        double part = 2.0 * i / (PICTURE_COLOUR_MAP_STEPS - 1) - 1;
        double far = fabs(part);
        map->steps[i] = from_oklab(0.985 - 0.52 * far, 0.19 * pow(far, 0.8), part < 0 ? 256 : 28);
    }
}

picture_colour picture_colour_map_at(const picture_colour_map *map, double part) {
    int i = (int)(fmin(fmax(part, 0), 1) * (PICTURE_COLOUR_MAP_STEPS - 1) + 0.5);
    return map->steps[i];
}
