#!/usr/bin/env python3
"""A file manager: a window from whose middle files are dragged.

Prints "ready x y" with that place on the screen. Each line it reads is a list of paths in JSON, which the next drag brings along, and
is answered with "noted". When a drag has ended, "taken" is printed, or "refused" where nobody took what it brought.
"""

import json
import sys
import threading

import gi

gi.require_version("Gdk", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import Gdk, Gio, GLib, Gtk  # noqa: E402

X, Y, SIZE = 1140, 20, 100
URIS = Gtk.TargetEntry.new("text/uri-list", 0, 0)
paths = []
refused = []


def say(line):
    print(line, flush=True)


def note(line):
    paths[:] = json.loads(line)
    say("noted")


def given(_widget, _context, data, _info, _time):
    data.set_uris([Gio.File.new_for_path(path).get_uri() for path in paths])


def ended(*_):
    say("refused" if refused else "taken")
    refused.clear()


def read():
    for line in sys.stdin:
        GLib.idle_add(note, line)
    GLib.idle_add(Gtk.main_quit)


# No window manager is there to move or decorate it.
window = Gtk.Window(type=Gtk.WindowType.POPUP)
window.set_default_size(SIZE, SIZE)
window.move(X, Y)
box = Gtk.EventBox()
box.drag_source_set(Gdk.ModifierType.BUTTON1_MASK, [URIS], Gdk.DragAction.COPY)
box.connect("drag-data-get", given)
box.connect("drag-failed", lambda *_: refused.append(True) or True)
box.connect("drag-end", ended)
window.add(box)
window.connect("map-event", lambda *_: say(f"ready {X + SIZE // 2} {Y + SIZE // 2}"))
threading.Thread(target=read, daemon=True).start()
window.show_all()
Gtk.main()
