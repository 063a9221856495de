"""Write the catalogue of named styles: a JSON file each, with the code that a checkpoint has for their picture.

    python -m engines.styles run/s/last.pt --pictures named/:paintings.tar --lists named.tsv --out engines/networks/styles

What is known of a picture (title, painter, year, source, licence) comes from the lists; only pictures out of copyright are named here.
A code fitted to a picture (`training.style.stylize fit`) is taken instead of the encoder's where --fitted has NAME.pt.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import torch

from training.shared.photos import Picture
from training.style.data import crops, read_pictures
from training.style.network import CODE, StyleEncoder

NAMED = {
    "starry-night": "starry_night", "great-wave": "great_wave", "scream": "the_scream", "kiss": "the_kiss_klimt",
    "reverie": "mucha_reverie", "composition-vii": "kandinsky_composition_vii", "composition-viii": "composition_viii",
    "sunrise": "impression_sunrise", "water-lilies": "water_lilies", "grande-jatte": "a_sunday_on_la_grande_jatte",
    "cafe-terrace": "cafe_terrace_at_night", "sunflowers": "sunflowers", "metzinger": "delaunay_portrait",
    "city-rises": "boccioni_city_rises", "blue-horses": "large_blue_horses", "red-fuji": "red_fuji",
    "flower-clouds": "redon_flower_clouds", "senecio": "senecio", "ninth-wave": "the_ninth_wave", "rooster": "jakuchu_rooster",
    "sketch": "vangogh_0061",
}  # fmt: skip
"""Names of styles, and the picture behind each."""
UNLISTED = {
    "vangogh_0061": {
        "title": "Peasant Woman Stooping between Sheaves of Grain", "painter": "Vincent van Gogh", "date": "1885",
        "source": "VVVXYZ/wikiart vangogh1/peasant-woman-stooping-between-sheaves-of-grain-1885.jpg",
        "licence": "public-domain drawing (author dead > 70 years)",
    }
}  # fmt: skip
"""What the lists do not say of a picture."""
ANIME: dict[str, Any] = {
    "name": "anime", "title": "Anime", "painter": "", "date": "", "network": "stylize-anime", "source": "trained; no single picture",
    "licence": "MIT; what it was trained on is in the network's card", "code": [],
}  # fmt: skip


def about(lists: list[Path]) -> dict[str, dict[str, str]]:
    """What is known of each picture, by its stem."""
    found = dict(UNLISTED)
    for path in lists:
        with path.open(encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                kept = {key: row[key] for key in ("title", "painter", "source", "licence")}
                found[Path(row["file"]).stem] = kept | {"date": row["year"]}
    return found


@torch.no_grad()
def code_of(encoder: StyleEncoder, picture: Picture) -> list[float]:
    """The mean code of a picture's crops."""
    return list(encoder(crops(picture)).mean(0).tolist())


def write(out: Path, style: dict[str, Any]) -> None:
    """One style. Raises ValueError for a code of another length."""
    wanted = 0 if style["network"] == ANIME["network"] else CODE
    if len(style["code"]) != wanted:
        raise ValueError(f"{style['name']}: a code of {len(style['code'])} numbers, not {wanted}")
    style = style | {"code": [round(value, 4) for value in style["code"]]}
    lines = [f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in style.items()]  # a code is one line
    (out / f"{style['name']}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--pictures", required=True, help="tar files or folders, joined by ':'")
    parser.add_argument("--lists", type=Path, nargs="+", required=True, help="tables of titles, painters, years, sources, licences")
    parser.add_argument("--fitted", type=Path, help="folder with fitted codes")
    parser.add_argument("--out", type=Path, default=Path("engines/networks/styles"))
    args = parser.parse_args()
    encoder = StyleEncoder().eval()
    saved = torch.load(args.checkpoint, map_location="cpu", weights_only=True)
    encoder.load_state_dict(saved["encoder"])
    learned = dict(zip(saved["names"], saved["codes"].tolist(), strict=True))
    known = about(args.lists)
    pictures = {
        name: picture for place in args.pictures.split(":") for name, picture in read_pictures(Path(place)) if name in NAMED.values()
    }
    args.out.mkdir(parents=True, exist_ok=True)
    write(args.out, ANIME)
    for name, stem in NAMED.items():
        fitted = args.fitted / f"{name}.pt" if args.fitted else None
        if fitted and fitted.exists():
            code = torch.load(fitted, map_location="cpu", weights_only=True)["code"][0].tolist()
        else:
            code = learned.get(stem) or code_of(encoder, pictures[stem])
        write(args.out, {"name": name} | known[stem] | {"network": "stylize", "code": code})
    print(f"{args.out}: {len(NAMED) + 1} styles")


if __name__ == "__main__":
    main()
