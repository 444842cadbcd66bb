#!/usr/bin/env python3
"""What the screen shows: the color at each place that is named, as CSS writes it once computed. `pixels.py 10,700 600,700`"""

import sys

import gi

gi.require_version("Gdk", "3.0")
from gi.repository import Gdk  # noqa: E402

screen = Gdk.get_default_root_window()
for place in sys.argv[1:]:
    x, y = map(int, place.split(","))
    red, green, blue = Gdk.pixbuf_get_from_window(screen, x, y, 1, 1).get_pixels()[:3]
    print(f"rgb({red}, {green}, {blue})")
