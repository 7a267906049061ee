"""One frozen, validated configuration in millimetres; TOML in and out; its hash."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcdetect.errors import ConfigError

__all__ = [
    "BLUR_LIMITS_MM",
    "USUAL_BLUR_MM",
    "BreastConfig",
    "CalcificationConfig",
    "Config",
    "GroupConfig",
    "NoiseConfig",
    "SpotConfig",
    "StudyConfig",
]

# Physics: focal spot and x-ray converter blur the image ahead of its pixels. The typical value is judged.
USUAL_BLUR_MM = 0.05
"""Blur of a usual x-ray system ahead of its pixels, as the SD of a Gaussian, in mm.

It is the default of `blur_mm`, which sizes are measured with. The individual score of spots was fitted with
this value and keeps it, whatever `blur_mm` says.
"""

# Judged: no mammography system is sharper or more blurred than this.
BLUR_LIMITS_MM = (0.01, 0.3)
"""Least and greatest `blur_mm`."""

_MOVED = {("noise", "tile_mm"): "spots"}
"""Options that once were in another section: their old section and name, and the section they are in now."""


def _option(default: float | int | bool, unit: str, text: str, low: float, high: float) -> Any:
    return field(default=default, metadata={"unit": unit, "help": text, "low": low, "high": high})


class _Section:
    """Range checks shared by every section."""

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, item.name)
            wants_int = isinstance(item.default, int) and not isinstance(item.default, bool)
            ok = isinstance(value, int) if wants_int else isinstance(value, (int, float))
            if isinstance(item.default, bool):
                ok = isinstance(value, bool)
            elif isinstance(value, bool) or not ok or not math.isfinite(value):
                ok = False
            if not ok:
                kind = type(item.default).__name__
                raise ConfigError(f"{item.name} = {value!r}: expected a finite {kind}")
            low, high = item.metadata["low"], item.metadata["high"]
            if not low <= value <= high:
                raise ConfigError(
                    f"{item.name} = {value}: must lie within {low} to {high} {item.metadata['unit']}"
                )
            if isinstance(item.default, float):
                object.__setattr__(self, item.name, float(value))


@dataclass(frozen=True)
class BreastConfig(_Section):
    """Where the breast is."""

    grid_mm: float = _option(0.4, "mm", "spacing of the grid on which the breast is outlined", 0.2, 2.0)
    border_mm: float = _option(
        1.5, "mm", "strip inside the image or film border in which nothing is detected", 0.0, 20.0
    )
    skin_mm: float = _option(0.75, "mm", "strip inside the skin line in which nothing is detected", 0.0, 10.0)


@dataclass(frozen=True)
class NoiseConfig(_Section):
    """How noise is equalised."""

    bins: int = _option(48, "", "grey-level bins in which noise is measured", 8, 256)


@dataclass(frozen=True)
class SpotConfig(_Section):
    """Top-hat and difference-of-Gaussians spot detector."""

    tophat_mm: float = _option(1.0, "mm", "width of the white top-hat's structuring element", 0.4, 3.0)
    tile_mm: float = _option(
        8.0, "mm", "tile over which the spread of a filter response is measured", 3.0, 40.0
    )
    min_snr: float = _option(3.0, "SD", "candidates below this signal-to-noise ratio are dropped", 1.0, 20.0)
    min_snr_fine: float = _option(
        5.0, "SD", "the same for fine spots inside a coarser one: bodies that touch", 1.0, 100.0
    )
    max_candidates: int = _option(20000, "", "strongest candidates kept per image", 100, 1000000)


@dataclass(frozen=True)
class CalcificationConfig(_Section):
    """From candidates to calcifications."""

    min_score: float = _option(0.5, "", "candidates from this score on are calcifications", 0.0, 1.0)
    near_mm: float = _option(3.5, "mm", "neighbours within this distance raise a score", 0.5, 10.0)
    context_weight: float = _option(
        2.0,
        "",
        "log-odds that neighbours add: times the root of their number beyond one, about 3 at most; 0: none",
        0.0,
        10.0,
    )
    contour_fraction: float = _option(
        0.5, "", "fraction of a calcification's top-hat contrast at which it is outlined", 0.1, 0.9
    )
    blur_mm: float = _option(
        USUAL_BLUR_MM,
        "mm",
        "blur of the x-ray system (SD), taken off the size of calcifications",
        *BLUR_LIMITS_MM,
    )


@dataclass(frozen=True)
class GroupConfig(_Section):
    """When calcifications form a group, and when a group is flagged."""

    min_count: int = _option(
        5, "", "calcifications that one disc must hold for a group to be flagged", 2, 1000
    )
    area_cm2: float = _option(1.0, "cm2", "area of that disc", 0.01, 100.0)
    link_mm: float = _option(5.0, "mm", "calcifications at most so far apart belong to one group", 0.5, 50.0)
    hide_benign: bool = _option(
        False, "", "groups of a typically benign kind, arteries among them, are not flagged", False, True
    )


@dataclass(frozen=True)
class StudyConfig(_Section):
    """When groups of two views of a breast are the same."""

    distance_sd_mm: float = _option(
        7.0, "mm", "spread of the difference of a group's distance to the nipple in two views", 1.0, 30.0
    )
    max_distance_mm: float = _option(20.0, "mm", "most that these distances may differ", 1.0, 100.0)
    max_mismatch: float = _option(
        1.4, "SD", "most root mean square deviation in distance, number, extent, size and contrast", 0.5, 10.0
    )


@dataclass(frozen=True)
class Config:
    """Every option of the detector.

    All lengths are millimetres. `mcdetect init-config` writes a TOML file with every option.
    """

    breast: BreastConfig = field(default_factory=BreastConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    spots: SpotConfig = field(default_factory=SpotConfig)
    calcifications: CalcificationConfig = field(default_factory=CalcificationConfig)
    groups: GroupConfig = field(default_factory=GroupConfig)
    studies: StudyConfig = field(default_factory=StudyConfig)

    def replace(self, **options: float | int | None) -> Config:
        """Return a copy with options replaced by name; names are unique across sections.

        A value of None leaves the option as it is.
        """
        changes: dict[str, Any] = {}
        for name, value in options.items():
            if value is None:
                continue
            section = self._section_of(name)
            base = changes.get(section, getattr(self, section))
            changes[section] = dataclasses.replace(base, **{name: value})
        return dataclasses.replace(self, **changes)

    def _section_of(self, name: str) -> str:
        for section in dataclasses.fields(self):
            if any(item.name == name for item in dataclasses.fields(getattr(self, section.name))):
                return section.name
        raise ConfigError(f"unknown option {name!r}")

    def as_dict(self) -> dict[str, dict[str, float | int | bool]]:
        """Return the options as nested dictionaries."""
        return dataclasses.asdict(self)

    @property
    def digest(self) -> str:
        """SHA-256 of the options, as 64 hexadecimal digits."""
        text = json.dumps(self.as_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Config:
        """Build a configuration from nested mappings; unknown keys are errors."""
        defaults = cls()
        sections: dict[str, Any] = {}
        known = {item.name for item in dataclasses.fields(cls)}
        for name, values in data.items():
            if name not in known:
                raise ConfigError(f"unknown section [{name}]; known: {', '.join(sorted(known))}")
            if not isinstance(values, Mapping):
                raise ConfigError(f"[{name}] must be a table of options")
            base = getattr(defaults, name)
            options = {item.name for item in dataclasses.fields(base)}
            unknown = sorted(set(values) - options)
            if unknown and (name, unknown[0]) in _MOVED:
                place = _MOVED[name, unknown[0]]
                raise ConfigError(
                    f"{name}.{unknown[0]} is {place}.{unknown[0]} now: move its line to [{place}]"
                )
            if unknown:
                raise ConfigError(
                    f"unknown option {name}.{unknown[0]}; known in [{name}]: {', '.join(sorted(options))}"
                )
            sections[name] = dataclasses.replace(base, **values)
        return dataclasses.replace(defaults, **sections)

    @classmethod
    def from_toml(cls, path: str | Path) -> Config:
        """Read a configuration file.

        Parameters
        ----------
        path : path-like
            A TOML file as `to_toml` writes it; options left out keep their defaults.
        """
        file = Path(path)
        try:
            data = tomllib.loads(file.read_text(encoding="utf-8"))
            return cls.from_dict(data)
        except OSError as error:
            raise ConfigError(f"{file.name}: cannot be read ({error.strerror})") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ConfigError(f"{file.name}: not valid TOML: {error}") from error
        except ConfigError as error:
            raise ConfigError(f"{file.name}: {error}") from error

    def to_toml(self) -> str:
        """Return a TOML text with every option, its unit, meaning, range and default."""
        lines = ["# mcdetect configuration. Options left out keep their defaults.", ""]
        defaults = Config()
        for section in dataclasses.fields(self):
            values = getattr(self, section.name)
            lines.append(f"[{section.name}]  # {(type(values).__doc__ or '').strip().rstrip('.').lower()}")
            for item in dataclasses.fields(values):
                meta = item.metadata
                unit = f" [{meta['unit']}]" if meta["unit"] else ""
                default = getattr(getattr(defaults, section.name), item.name)
                lines.append(
                    f"# {meta['help']}{unit}; {meta['low']} to {meta['high']}; default {_toml(default)}"
                )
                lines.append(f"{item.name} = {_toml(getattr(values, item.name))}")
            lines.append("")
        return "\n".join(lines)


def _toml(value: float | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)
