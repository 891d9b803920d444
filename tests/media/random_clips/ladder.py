"""Draws ladders: what a broadcaster might ask for, within what is supported."""

RATES = [(0, 1)] * 5 + [(30, 1), (60, 1), (24000, 1001), (15, 1), (25, 1), (30000, 1001), (1, 1), (50, 1)]
BOXES = [(160, 90), (320, 180), (256, 144), (90, 160), (200, 200), (127, 71), (0, 72), (96, 0), (0, 0), (426, 240)]


def draw_ladder(rng):
    return [_rendition(rng, n) for n in range(rng.choice([1, 2, 2, 3]))]


def _rendition(rng, number):
    encoder = rng.choices(["H.264", "HEVC", "VP9", "AV1"], [8, 2, 1, 1])[0]
    container = "mp4" if encoder in ("VP9", "AV1") else rng.choice(["mpegts", "mpegts", "mp4"])
    width, height = rng.choice(BOXES)
    fps, under = rng.choice(RATES)
    spec = {"name": f"r{number}", "width": width, "height": height, "fps": fps, "fpsDen": under, "encoder": encoder, "container": container,
            "preset": rng.choice(["ultrafast", "ultrafast", "veryfast"]), "audio": _audio(rng)}
    if rng.random() < 0.7:
        spec["quality"] = rng.choice([20, 26])
        if rng.random() < 0.5:
            spec["bitrate"] = 2_000_000
    else:
        spec["bitrate"] = rng.choice([150_000, 800_000, 3_000_000])
    if rng.random() < 0.4:
        spec["gop"] = rng.choice(["intra", "0.5", "1", "0.2", "2.0"])
    if rng.random() < 0.15:
        spec["colorDepth"] = 10
    if rng.random() < 0.15 and encoder != "AV1":
        spec["chromaFormat"] = rng.choice([1, 2])
    if rng.random() < 0.25:
        spec["upscale"] = "never"
    if rng.random() < 0.2:
        spec["bypass"] = "if-fits"
    if rng.random() < 0.15:
        spec["scaling"] = "cascaded"
    if encoder == "H.264" and "colorDepth" not in spec and "chromaFormat" not in spec and rng.random() < 0.3:
        spec["profile"] = rng.choice(["h264Baseline", "h264Main", "h264High", "h264ConstrainedHigh"])
    return spec


def _audio(rng):
    wish = rng.choice(["copy", "copy", "copy", "aac", "opus", "none", "object"])
    if wish != "object":
        return wish
    return rng.choice([{"codec": "aac", "bitrate": 64000, "channels": 1}, {"codec": "aac", "rate": 44100},
                       {"codec": "aac", "rate": 48000, "channels": 2}, {"codec": "opus", "channels": 2}])
