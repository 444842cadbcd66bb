#!/usr/bin/env python3
"""The notifications of a desktop, as programs send them over the session bus (freedesktop.org, Desktop Notifications 1.2).

Prints "ready", and each notification's title and text as a JSON array.
"""

import json

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

NAME = "org.freedesktop.Notifications"


class Server(dbus.service.Object):
    @dbus.service.method(NAME, in_signature="susssasa{sv}i", out_signature="u")
    def Notify(self, app, replaces, icon, title, text, actions, hints, timeout):
        print(json.dumps([title, text]), flush=True)
        return replaces or 1

    @dbus.service.method(NAME, out_signature="as")
    def GetCapabilities(self):
        return ["body"]

    @dbus.service.method(NAME, out_signature="ssss")
    def GetServerInformation(self):
        return "desktop", "tests", "1", "1.2"


dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
session = dbus.SessionBus()
server = Server(session, "/org/freedesktop/Notifications")
name = dbus.service.BusName(NAME, session)
print("ready", flush=True)
GLib.MainLoop().run()
