/* Colours for numbers: equal steps of the number look like equal steps of the colour. */
#ifndef PICTURE_COLOUR_MAP_H
#define PICTURE_COLOUR_MAP_H

#include "picture/canvas.h"

/* Steps of a map: few enough for small files, too many to be seen; odd, so that there is a middle.
 */
enum { PICTURE_COLOUR_MAP_STEPS = 97 };

typedef struct picture_colour_map {
    picture_colour steps[PICTURE_COLOUR_MAP_STEPS];
} picture_colour_map;

/* From night blue through red to pale yellow, its lightness a straight line: louder is lighter, in
 * grey print, too. */
void picture_colour_map_sequential(picture_colour_map *map);

/* Blue, white, red: white is no difference, equal differences either way are equally dark. */
void picture_colour_map_diverging(picture_colour_map *map);

/* part in 0…1; what lies beyond is held. */
picture_colour picture_colour_map_at(const picture_colour_map *map, double part);

#endif
