#!/usr/bin/env python3
"""The tray of a desktop, as programs see one on the session bus: an icon registers here, and its menu can be read and clicked.

Prints "ready", and "icon" for each icon that registers. Each line it reads is a click on the menu entry with that text, or "menu";
it answers with one line: the entries as JSON, or "clicked".
"""

import json
import sys
import threading

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

NAME = "org.kde.StatusNotifierWatcher"
ITEM = "org.kde.StatusNotifierItem"
MENU = "com.canonical.dbusmenu"
PROPERTIES = "org.freedesktop.DBus.Properties"


def say(line):
    print(line, flush=True)


class Watcher(dbus.service.Object):
    def __init__(self, bus):
        super().__init__(bus, "/StatusNotifierWatcher")
        self.icon = None

    @dbus.service.method(NAME, in_signature="s", sender_keyword="sender")
    def RegisterStatusNotifierItem(self, service, sender):
        self.icon = (sender, service) if service.startswith("/") else (service, "/StatusNotifierItem")
        say("icon")

    @dbus.service.method(NAME, in_signature="s")
    def RegisterStatusNotifierHost(self, service):
        pass

    @dbus.service.method(PROPERTIES, in_signature="ss", out_signature="v")
    def Get(self, interface, name):
        return self.GetAll(interface)[name]

    @dbus.service.method(PROPERTIES, in_signature="s", out_signature="a{sv}")
    def GetAll(self, interface):
        items = dbus.Array(["".join(self.icon)] if self.icon else [], signature="s")
        return {"IsStatusNotifierHostRegistered": True, "ProtocolVersion": dbus.Int32(0), "RegisteredStatusNotifierItems": items}


def menu_of(bus, icon):
    name, path = icon
    item = dbus.Interface(bus.get_object(name, path), PROPERTIES)
    return dbus.Interface(bus.get_object(name, item.Get(ITEM, "Menu")), MENU)


def entries(menu):
    _, (_, _, children) = menu.GetLayout(0, 1, [])
    return {str(properties.get("label", "")): int(number) for number, properties, _ in children}


def obey(bus, watcher, line):
    menu = menu_of(bus, watcher.icon)
    found = entries(menu)
    if line == "menu":
        say(json.dumps([label for label in found if label]))
    else:
        menu.Event(found[line], "clicked", dbus.Int32(0), dbus.UInt32(0))
        say("clicked")


def read(bus, watcher, loop):
    for line in sys.stdin:
        GLib.idle_add(lambda line=line.strip(): obey(bus, watcher, line) or False)
    loop.quit()


dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
session = dbus.SessionBus()
watching = Watcher(session)
name = dbus.service.BusName(NAME, session)
main = GLib.MainLoop()
threading.Thread(target=read, args=(session, watching, main), daemon=True).start()
say("ready")
main.run()
