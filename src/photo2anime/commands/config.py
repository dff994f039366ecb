"""What the user always wants: a configuration file and the environment, as defaults of the command line's flags."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
import tomllib
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from photo2anime.types import Photo2AnimeError

_PREFIX = "PHOTO2ANIME_"
_OTHERS = {"TOKEN", "THREADS"}  # variables that are read where they are needed
_SECTIONS = ("paint", "video", "live", "serve")


@dataclass(frozen=True, slots=True)
class Setting:
    """One value. command: the section it stands in, or None for every command that has such a flag. origin: the file
    or the variable.
    """

    name: str
    value: object
    origin: str
    command: str | None = None


def config_file() -> Path:
    """Where the configuration lies: $XDG_CONFIG_HOME or ~/.config, on Windows %APPDATA%."""
    if sys.platform == "win32":
        root = os.environ.get("APPDATA") or str(Path.home() / "AppData" / "Roaming")
    else:
        root = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(root) / "photo2anime" / "config.toml"


def read_settings(environment: Mapping[str, str]) -> list[Setting]:
    """Settings of the file, then those of the environment, which come before them. Raises Photo2AnimeError for a file
    that cannot be understood.
    """
    file = config_file()
    try:
        rows = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        rows = {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise Photo2AnimeError(f"{file}: {error}; mend it or delete it") from error
    found = []
    for name, value in rows.items():
        if not isinstance(value, dict):
            found.append(Setting(name, value, str(file)))
        elif name in _SECTIONS:
            found += [Setting(key, entry, str(file), name) for key, entry in value.items()]
        else:
            raise Photo2AnimeError(f"{file}: no section called {name}; use {', '.join(_SECTIONS)}")
    for variable, text in sorted(environment.items()):
        name = variable.removeprefix(_PREFIX)
        if variable.startswith(_PREFIX) and name not in _OTHERS and text:
            found.append(Setting(name.lower(), text, variable))
    return found


def apply_settings(commands: Mapping[str, ArgumentParser], settings: list[Setting]) -> None:
    """Makes each setting the default of its flag. Raises Photo2AnimeError for one that no flag has, or may not be."""
    flags = {name: _flags(commands[name]) for name in _SECTIONS}
    for setting in settings:
        name = setting.name.replace("-", "_")
        places = [setting.command] if setting.command else list(_SECTIONS)
        own = [(place, flags[place][name]) for place in places if name in flags[place]]
        if not own:
            if setting.origin.startswith(_PREFIX):
                continue  # some other program's variable, or a later version's
            near = difflib.get_close_matches(name, {n for place in places for n in flags[place]}, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise Photo2AnimeError(f"{setting.origin}: no setting called {setting.name}{hint}")
        for place, action in own:
            commands[place].set_defaults(**{action.dest: _value(commands[place], action, setting)})


def _flags(command: ArgumentParser) -> dict[str, argparse.Action]:
    """Flags by their long names, with underscores."""
    return {
        option.removeprefix("--").replace("-", "_"): action
        for action in command._actions
        for option in action.option_strings
        if option.startswith("--") and action.dest not in ("help", "version", "token")
    }


def _value(command: ArgumentParser, action: argparse.Action, setting: Setting) -> object:
    """The setting as the flag would have it."""
    wrong = f"{setting.origin}: {setting.name} = {setting.value}"
    if action.nargs == 0:
        said = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        if str(setting.value).lower() not in said:
            raise Photo2AnimeError(f"{wrong}: give true or false")
        return said[str(setting.value).lower()]
    values = setting.value if isinstance(setting.value, list) else [setting.value]
    text = ",".join(map(str, values))
    try:
        value: object = command._get_value(action, text)
        command._check_value(action, value)
    except argparse.ArgumentError as error:
        raise Photo2AnimeError(f"{wrong}: {error.message}") from error
    return value


def print_config(args: Namespace) -> int:
    """`photo2anime config`: what holds, and whence."""
    print(f"# {config_file()}{'' if config_file().exists() else ' (not there yet)'}")
    for setting in args.settings:
        where = f"[{setting.command}] " if setting.command else ""
        print(f"{where}{setting.name} = {setting.value!r}  # {setting.origin}")
    if not args.settings:
        print('# nothing is set; for example: style = "shinkai"   or, in a section [paint]: out = "painted/"')
    return 0
