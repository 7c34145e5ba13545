import pytest

from producer_api.ingestion.cut import Crop, Tiles
from producer_api.ingestion.feed import Feed, load
from producer_api.ingestion.settings import IngestSettings
from producer_api.ingestion.source import open_source
from schemas.errors import ConfigurationError


def test_someone_must_own_the_pictures():
    with pytest.raises(ConfigurationError, match="whose pictures"):
        Feed.of(source="x")


def test_one_camera_or_one_per_folder():
    with pytest.raises(ConfigurationError, match="exclude each other"):
        Feed.of(source="x", camera="roof", camera_from_folder=True)


@pytest.mark.parametrize("option", [{"camera": "a b"}, {"fps": 0}, {"skip_similar": 65}, {"limit": 0}])
def test_values_out_of_range_are_named(option):
    with pytest.raises(ConfigurationError, match=next(iter(option))):
        Feed.of(source="x", unordered=True, **option)


def test_the_title_hides_the_password():
    feed = Feed.of(source="rtsp://user:secret@10.0.0.7:554/main?channel=1", camera="roof")
    assert feed.title == "roof (rtsp://10.0.0.7:554/main?channel=1)"


def test_an_address_takes_its_password_from_the_environment_and_never_shows_it(monkeypatch):
    monkeypatch.setenv("ROOF_PASSWORD", "secret")
    feed = Feed.of(source=" rtsp://user:$ROOF_PASSWORD@10.0.0.7/main ", camera="roof")
    assert feed.source == "rtsp://user:secret@10.0.0.7/main"
    assert "secret" not in f"{feed!r} {feed} {feed.title}"


def test_a_camera_is_the_same_source_with_another_password():
    one, other = (Feed.of(source=f"rtsp://{who}10.0.0.7/main", camera="roof") for who in ("user:secret@", ""))
    assert one.hash == other.hash
    assert one.hash != Feed.of(source="rtsp://10.0.0.7/other", camera="roof").hash


@pytest.mark.parametrize("rest", ["secret@[10.0.0.7/main", "secret/1@10.0.0.7/main", "secret?@10.0.0.7", "secret"])
def test_an_address_that_is_none_is_not_repeated(rest):
    with pytest.raises(ConfigurationError, match=r"this is no address.*%2F") as failed:
        Feed.of(source=f"rtsp://user:{rest}", camera="roof")
    assert "secret" not in failed.value.advice


@pytest.mark.parametrize("source", ["rstp://user:secret@10.0.0.7/main", "user:secret@10.0.0.7/main"])
def test_what_is_neither_path_nor_address_shows_no_password(source):
    with pytest.raises(ConfigurationError) as failed:
        open_source(Feed.of(source=source, camera="roof"), IngestSettings(), None, patient=False)
    assert "secret" not in failed.value.advice
    assert "10.0.0.7/main" in failed.value.advice


def test_a_folder_is_the_same_source_from_any_directory(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    absolute = Feed.of(source=str(tmp_path / "a"), unordered=True)
    monkeypatch.chdir(tmp_path)
    assert Feed.of(source="./a", unordered=True).hash == absolute.hash


def test_feeds_from_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("ROOF_PASSWORD", "secret$HOME")  # a password may hold a dollar sign
    path = tmp_path / "cameras.toml"
    path.write_text(
        """
        [[feed]]
        source = "rtsp://user:$ROOF_PASSWORD@10.0.0.7/main"
        camera = "roof"
        fps = 0.5
        crop = "0,0,640,480"
        tiles = "4x3"

        [[feed]]
        source = "/srv/upload"
        camera_from_folder = true
        watch = true
        """
    )
    roof, folder = load(path)
    assert roof.source == "rtsp://user:secret$HOME@10.0.0.7/main"
    assert (roof.fps, roof.crop, roof.tiles) == (0.5, Crop(0, 0, 640, 480), Tiles(4, 3))
    assert folder.watch
    assert folder.camera_from_folder


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "does not exist"),
        ("[[feed", "is not TOML"),
        ("", "feed is missing"),
        ("[[feed]]\nsource = 'x'\ncamera = 'a'\nspeed = 3", "speed"),
        ("[[feed]]\nsource = 'x'\ncamera = 'a'\ncrop = '3'", "crop"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(tmp_path, text, reason):
    path = tmp_path / "cameras.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError, match=reason):
        load(path)
