from ops.documents import README, settings_table, with_settings


def test_the_readme_tells_every_setting_as_the_code_has_it():
    assert with_settings(README.read_text()) == README.read_text(), "run `python -m ops.documents`"


def test_every_setting_says_what_it_does():
    rows = [row.split(" | ") for row in settings_table().splitlines()[2:]]
    assert len(rows) > 40
    assert [row[0] for row in rows if len(row[-1].strip(" |")) < 8] == []
