#!/usr/bin/env python3
"""A window of another program, on X11 or Wayland, with mutter around it.

Prints "ready" when it is there. Each line it reads is answered with one: "type" with "typed" when a key that a person pressed has
arrived in it, "token" with what it would start another program with, "look" with "active" or "inactive".
"""

import sys
import threading

import dbus
import gi

gi.require_version("Gtk", "3.0")
from gi.repository import Gio, GLib, Gtk  # noqa: E402

NAME = "org.gnome.Mutter.RemoteDesktop"
A, SHIFT = dbus.UInt32(30), dbus.UInt32(42)  # the keys, as Linux numbers them


def say(line):
    print(line, flush=True)


class Keyboard:
    """The one of the desktop, which serves those who use it from afar."""

    def __init__(self):
        bus = dbus.SessionBus()
        desktop = dbus.Interface(bus.get_object(NAME, "/org/gnome/Mutter/RemoteDesktop"), NAME)
        self.session = dbus.Interface(bus.get_object(NAME, desktop.CreateSession()), f"{NAME}.Session")
        self.session.Start()
        # It is there from its first key on, and a window without a keyboard is never active.
        self.press(SHIFT)

    def press(self, key):
        for down in (True, False):
            self.session.NotifyKeyboardKeycode(key, down)


def token(window):
    program = Gio.AppInfo.create_from_commandline("true", "a program", Gio.AppInfoCreateFlags.SUPPORTS_STARTUP_NOTIFICATION)
    return window.get_display().get_app_launch_context().get_startup_notify_id(program, [])


def obey(window, keyboard, line):
    if line == "type":
        keyboard.press(A)
    elif line == "token":
        say(token(window))
    elif line == "look":
        say("active" if window.is_active() else "inactive")


def read(window, keyboard):
    for line in sys.stdin:
        GLib.idle_add(lambda line=line.strip(): obey(window, keyboard, line) or False)
    GLib.idle_add(Gtk.main_quit)


window = Gtk.Window(title="Another program")
field = Gtk.Entry()
field.connect("changed", lambda _: say("typed"))
window.add(field)
window.connect("map-event", lambda *_: say("ready"))
threading.Thread(target=read, args=(window, Keyboard()), daemon=True).start()
window.show_all()
Gtk.main()
