"""The registered algorithms: the files of schemas/algorithms, read and checked (core/algorithm.ts is their schema)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from ponte_rail.canonical import digest_of
from ponte_rail.failures import bad_environment, bad_task
from ponte_rail.treatment import TREATMENT_VERSION

REGISTERED = Path(__file__).resolve().parents[3] / "schemas" / "algorithms"
"""Where the files lie beside the worker, in the repository and in an installed agent alike."""


REFUSED = {
    "rail.estimation.algos.sklearn_neurnet": "fits its scaler again on every slice: its p(z) depend on the neighbours"
}
"""Modules that can give no reproducible estimate; core/algorithm.ts refuses the same."""


@dataclass(frozen=True)
class Algorithm:
    """One registered configuration, with decimals turned into floats."""

    name: str
    digest: str
    module: str
    informer: str
    estimator: str
    packages: dict[str, str]
    bands: tuple[str, ...]
    reference_band: str
    z_min: float
    z_max: float
    grid_points: int
    chunk_size: int
    slicing: Literal["equal", "fixed"]
    float_type: Literal["float32", "float64"]
    best_template: str | None
    non_detection_magnitude: float
    non_detection_error: float
    limits: dict[str, float]
    reference_data: str | None
    ancillary: dict[str, str | None]
    """The sha256 of each registered file that it needs, under its own name for it; None as long as no content has been
    agreed on."""
    inform_parameters: dict[str, Any]
    estimate_parameters: dict[str, Any]

    @property
    def magnitude_columns(self) -> list[str]:
        return [f"mag_{band}" for band in self.bands]

    @property
    def error_columns(self) -> list[str]:
        return [f"magerr_{band}" for band in self.bands]


def read_algorithm(name: str, folder: Path = REGISTERED) -> Algorithm:
    """Raises WorkerError `ALGORITHM_NOT_REGISTERED` or `ALGORITHM_INVALID`."""
    path = folder / f"{name}.json"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.json"))) or "none"
        message = f"the algorithm {name!r} is not registered here ({path}); registered: {known}"
        raise bad_task("ALGORITHM_NOT_REGISTERED", message)
    try:
        return _parse(json.loads(path.read_bytes()))
    except (KeyError, TypeError, ValueError) as error:
        raise bad_task("ALGORITHM_INVALID", f"{path} is not a registered configuration: {error!r}") from error


def require_packages(algorithm: Algorithm) -> None:
    """Raises WorkerError `PACKAGE_VERSION` when this environment is not the registered one."""
    for package, wanted in algorithm.packages.items():
        try:
            found = metadata.version(package)
        except metadata.PackageNotFoundError:
            found = "nothing"
        if found != wanted:
            message = f"{algorithm.name} is registered with {package} {wanted}, this environment has {found}"
            raise bad_environment("PACKAGE_VERSION", f"{message}. Make the environment again from requirements.txt.")


def _parse(content: dict[str, Any]) -> Algorithm:
    parameters = content["parameters"]
    if content["rail"]["module"] in REFUSED:
        raise ValueError(f"{content['rail']['module']} {REFUSED[content['rail']['module']]}")
    return Algorithm(
        name=content["name"],
        digest=_configuration_digest(content),
        module=content["rail"]["module"],
        informer=content["rail"]["informer"],
        estimator=content["rail"]["estimator"],
        packages=content["packages"],
        bands=tuple(content["bands"]),
        reference_band=content["referenceBand"],
        z_min=float(content["grid"]["zMin"]),
        z_max=float(content["grid"]["zMax"]),
        grid_points=content["grid"]["points"],
        chunk_size=content["chunkSize"],
        slicing=content["slicing"],
        float_type=content["floatType"],
        best_template=content["bestTemplate"],
        non_detection_magnitude=float(content["nonDetection"]["magnitude"]),
        non_detection_error=float(content["nonDetection"]["error"]),
        limits=_decimals(content["nonDetection"]["limits"]),
        reference_data=content["referenceData"],
        ancillary={need["name"]: need["sha256"] for need in content["ancillary"]},
        inform_parameters=_parameters_of("inform", parameters),
        estimate_parameters=_parameters_of("estimate", parameters),
    )


def _configuration_digest(content: dict[str, Any]) -> str:
    """`configurationDigest` of core/algorithm.ts: all that changes a result, and no prose."""
    non_detection = {key: value for key, value in content["nonDetection"].items() if key != "meaning"}
    parameters = {
        name: {"stages": entry["stages"], "value": entry["value"], "decimals": entry.get("decimals", False)}
        for name, entry in content["parameters"].items()
    }
    copied = ("name", "rail", "packages", "bands", "referenceBand", "grid", "chunkSize", "slicing", "floatType")
    copied += ("bestTemplate", "referenceData")
    fields = {key: content[key] for key in copied}
    needs = [{key: value for key, value in need.items() if key != "meaning"} for need in content["ancillary"]]
    fields |= {"treatment": TREATMENT_VERSION, "ancillary": needs, "nonDetection": non_detection, "parameters": parameters}
    return digest_of("algorithm-configuration", fields)


def _parameters_of(stage: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _decimals(entry["value"]) if entry.get("decimals", False) else entry["value"]
        for name, entry in parameters.items()
        if stage in entry["stages"]
    }


def _decimals(value: Any) -> Any:
    if isinstance(value, str):
        return float(value)
    if isinstance(value, list):
        return [_decimals(entry) for entry in value]
    if isinstance(value, dict):
        return {key: _decimals(entry) for key, entry in value.items()}
    return value
