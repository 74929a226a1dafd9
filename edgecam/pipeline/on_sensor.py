"""A model that runs on a camera's own sensor: what camera and engine have to agree on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edgecam.capture.camera import SensorNetwork
from edgecam.config.schema import CameraConfig, Config
from edgecam.config.source import SourceKind, parse_source
from edgecam.inference.engines import AUTO
from edgecam.inference.imx500 import ENGINE, SUFFIX
from edgecam.model.card import Fit
from edgecam.model.model import Model


def network_of(config: Config, camera: CameraConfig, models: Mapping[str, Model]) -> SensorNetwork | None:
    """What the camera is to give its sensor; None: its pictures are classified here."""
    name = camera.model[0]
    if not _is_on_sensor(config, name, models):
        return None
    model = models[name]
    return SensorNetwork(model.path, keeps_shape=model.card.input.fit is Fit.CROP)


def strange_networks(
    config: Config, camera: CameraConfig, models: Mapping[str, Model]
) -> Iterator[tuple[str, str]]:
    """What cannot be meant of a camera: the key, and what was expected."""
    on_sensor = [name for name in camera.model if _is_on_sensor(config, name, models)]
    if not on_sensor:
        return
    said = f'"{on_sensor[0]}" runs on the sensor of a Raspberry Pi AI Camera'
    if parse_source(camera.source).kind is not SourceKind.PICAMERA2:
        yield "source", f"expected picamera2:…, as the model {said}"
    if len(camera.model) > 1:
        yield (
            "model",
            f"expected one model: {said}, which has room for one, and no picture is classified here",
        )
    if camera.roi is not None:
        yield "roi", f"expected none: {said}, which sees its whole picture"


def _is_on_sensor(config: Config, name: str, models: Mapping[str, Model]) -> bool:
    return config.models[name].engine in {AUTO, ENGINE} and models[name].path.suffix == SUFFIX
