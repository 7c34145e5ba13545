"""The contract as documents: a JSON Schema per event and `asyncapi.yaml`, both made from the code.

`python -m schemas.documents` writes them; a test holds the checked-in ones against this module.
"""

import json
from pathlib import Path
from typing import Any, Final

import yaml

from schemas import topics
from schemas.event import JsonEvent
from schemas.experiment import Experiment
from schemas.feedback import Feedback
from schemas.image import IMAGE_TYPE
from schemas.prediction import Prediction
from schemas.replay import Run
from schemas.trial import Trial, TrialAnswer

ROOT: Final = Path(__file__).parent

#: JSON event -> the topics that carry it.
CARRIERS: Final[dict[type[JsonEvent], tuple[topics.Topic, ...]]] = {
    Prediction: (topics.PREDICTIONS, topics.REPLAYS),
    Experiment: (topics.EXPERIMENTS,),
    Trial: (topics.EXPERIMENTS,),
    TrialAnswer: (topics.EXPERIMENTS,),
    Feedback: (topics.FEEDBACK,),
    Run: (topics.RUNS,),
}

#: CloudEvents extension attributes, as Kafka headers.
IMAGE_EXTENSIONS: Final = {
    "ce_camera": "Camera id, for feeds",
    "ce_unauthenticated": "true: the camera's name is only what a client said who did not authenticate",
    "ce_capturedat": "When the camera took it, RFC 3339",
    "ce_uploader": "Hash of the uploader's name, a sticky key",
    "ce_frame": "File, frame or tile the picture was cut from",
    "ce_attempt": "How often it was put back from a dead-letter topic",
    "traceparent": "W3C trace context",
}
DEAD_LETTER_HEADERS: Final = {
    "dead_letter_error": "Why it is here",
    "dead_letter_topic": "Source topic",
    "dead_letter_topic_id": "Source topic's Kafka id",
    "dead_letter_partition": "Source partition",
    "dead_letter_offset": "Source offset",
    "dead_letter_retried": "On an empty note only: partition:offset, in this topic, of a letter that was put back",
}


def documents() -> dict[Path, str]:
    """Every generated file with its content."""
    schemas = {_schema_path(event): json.dumps(_schema(event), indent=2) + "\n" for event in CARRIERS}
    return schemas | {ROOT / "asyncapi.yaml": yaml.safe_dump(asyncapi(), sort_keys=False, width=110)}


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0 document."""
    messages = {topics.IMAGES.name: ["Image"]}
    messages |= {topics.UNPROCESSABLE.name: ["DeadLetter"], topics.FAILED.name: ["DeadLetter"]}
    for event, carriers in CARRIERS.items():
        for topic in carriers:
            messages.setdefault(topic.name, []).append(event.__name__)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Leafstream",
            "version": "1.0.0",
            "description": "Events of the tomato leaf diagnosis pipeline: CloudEvents 1.0, in Kafka's binary mode. "
            "Structured mode (application/cloudevents+json) is read too, and headers of others are ignored.",
        },
        "defaultContentType": "application/json",
        "channels": {
            topic.name: {
                "address": topic.name,
                "description": topic.describes,
                "messages": {name: _ref("messages", name) for name in messages[topic.name]},
                "bindings": {"kafka": {"topicConfiguration": _configuration(topic)}},
            }
            for topic in topics.TOPICS
        },
        "operations": {
            "acceptImage": _operation("send", topics.IMAGES, "producer_api: an upload or a camera frame"),
            "diagnose": _operation("receive", topics.IMAGES, "stream_workers: the live consumer group"),
            "publishPrediction": _operation("send", topics.PREDICTIONS, "stream_workers"),
            "materialise": _operation("receive", topics.PREDICTIONS, "result_sink"),
            "publishReplay": _operation("send", topics.REPLAYS, "stream_workers: a replay"),
            "giveFeedback": _operation("send", topics.FEEDBACK, "producer_api"),
            "defineExperiment": _operation("send", topics.EXPERIMENTS, "producer_api"),
            "followExperiments": _operation("receive", topics.EXPERIMENTS, "stream_workers"),
            "answerTrial": _operation("send", topics.EXPERIMENTS, "stream_workers: whether models can be loaded"),
        },
        "components": {
            "messages": {
                "Image": {
                    "contentType": "image/jpeg",
                    "headers": _headers(IMAGE_TYPE, IMAGE_EXTENSIONS),
                    "payload": {"type": "string", "format": "binary", "maxLength": topics.MAX_IMAGE_BYTES},
                },
                "DeadLetter": {
                    "contentType": "application/octet-stream",
                    "description": "The source record's own headers and bytes, and where it stood.",
                    "headers": {"type": "object", "properties": _texts(DEAD_LETTER_HEADERS)},
                    "payload": {"type": "string", "format": "binary"},
                },
            }
            | {
                event.__name__: {
                    "contentType": "application/json",
                    "headers": _headers(event.type, {}),
                    "payload": {"$ref": f"./json/{_schema_path(event).name}"},
                }
                for event in CARRIERS
            },
        },
    }


def _schema_path(event: type[JsonEvent]) -> Path:
    return ROOT / "json" / f"{event.__name__.lower()}.json"


def _schema(event: type[JsonEvent]) -> dict[str, Any]:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | event.model_json_schema()


def _ref(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def _operation(action: str, topic: topics.Topic, summary: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{topic.name}"}, "summary": summary}


def _configuration(topic: topics.Topic) -> dict[str, Any]:
    config = topic.config()
    return {"cleanup.policy": config["cleanup.policy"].split(","), "retention.ms": int(config["retention.ms"])}


def _texts(described: dict[str, str]) -> dict[str, Any]:
    return {name: {"type": "string", "description": text} for name, text in described.items()}


def _headers(event_type: str, extensions: dict[str, str]) -> dict[str, Any]:
    required = {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {"type": "string"},
        "ce_type": {"type": "string", "const": event_type},
        "ce_source": {"type": "string"},
        "ce_time": {"type": "string", "format": "date-time"},
        "content-type": {"type": "string"},
    }
    return {"type": "object", "required": list(required), "properties": required | _texts(extensions)}


if __name__ == "__main__":
    for path, text in documents().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
