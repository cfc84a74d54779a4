// SPDX-License-Identifier: MIT
// Reads a film (fuzz/film/film.h): any frame of it, at once. What a frame changes is kept as bytes;
// all blocks are kept for one frame in so many.
"use strict";

const KIND = {GONE: 0, HEAD: 1, TAIL: 2, FREE: 3, BLOCK: 4, MEMORY: 5, ELSEWHERE: 6,
              EXPECTED_HEAD: 7, EXPECTED_TAIL: 8, EXPECTED_FREE: 9};
const MARK = {FRAME: 1, PASSED: 2, FAILED: 3, REFUSED: 4};
const LAYER = {MEMORIES: 0, BLOCKS: 1, OTHERS: 2, EXPECTED: 3};
const FIGURES = 4;
const KEYFRAMES_MAX = 200;
const KEYFRAME_EVERY_MIN = 64;
const PAGE = 4096;

function layerOf(kind) {
    return kind === KIND.MEMORY ? LAYER.MEMORIES : kind === KIND.ELSEWHERE ? LAYER.OTHERS
        : kind <= KIND.BLOCK ? LAYER.BLOCKS : LAYER.EXPECTED;
}

function keyOf(layer, place) {
    return layer * 2 ** 50 + place;
}

class Film {
    constructor(bytes) {
        this.bytes = bytes;
        this.at = 0;
        this.offsets = []; // of each frame's changes
        this.figures = []; // FIGURES of each frame
        this.changed = []; // frames that changed something
        this.keyframes = new Map();
        this.end = 0;
        this.failure = null;
        this.state = new Map(); // keyOf(layer, place) -> block
        this.frame = -1;
        this.pages = [];
        this.scan();
    }

    number() {
        let value = 0;
        let scale = 1;
        for (;;) {
            const byte = this.bytes[this.at++];
            if (byte === undefined) {
                throw new RangeError("the film is cut off");
            }
            value += (byte & 0x7f) * scale;
            if (byte < 0x80) {
                return value;
            }
            scale *= 128;
        }
    }

    text() {
        const length = this.number();
        const text = new TextDecoder().decode(this.bytes.subarray(this.at, this.at + length));
        this.at += length;
        return text;
    }

    // Reads the whole film once: where frames are, what they count, and some of them in full. One
    // that is cut off has the frames that are whole.
    scan() {
        const pages = new Set();
        this.at = 3;
        this.headerBytes = this.number();
        this.memoryBytes = this.number();
        try {
            while (this.at < this.bytes.length && this.end === 0) {
                this.scanRecord(pages);
            }
        } catch (error) {
            if (!(error instanceof RangeError)) {
                throw error;
            }
        }
        this.count = this.offsets.length;
        this.placePages(pages);
        this.keepFrames();
    }

    scanRecord(pages) {
        const mark = this.number();
        if (mark !== MARK.FRAME) {
            this.end = mark;
            if (mark === MARK.FAILED) {
                this.failure = {op: this.number(), property: this.text(), detail: this.text(),
                                message: this.text()};
            }
            return;
        }
        const figures = [];
        for (let i = 0; i < FIGURES; i++) {
            figures.push(this.number());
        }
        const start = this.at;
        const changes = this.number();
        for (let i = 0; i < changes; i++) {
            this.scanChange(pages);
        }
        if (changes > 0) {
            this.changed.push(this.offsets.length);
        }
        this.offsets.push(start);
        this.figures.push(...figures);
    }

    scanChange(pages) {
        const kind = this.number();
        const place = this.number();
        const bytes = this.number(); // of what is gone: its place
        if (kind === KIND.GONE) {
            return;
        }
        this.number();
        this.number();
        this.number();
        if (kind === KIND.ELSEWHERE) {
            for (let page = Math.floor(place / PAGE); page * PAGE < place + bytes; page++) {
                pages.add(page);
            }
        } else {
            this.memoryBytes = Math.max(this.memoryBytes, place + bytes);
        }
    }

    // Pages of other memory follow after the memory, those that touch as one range.
    placePages(pages) {
        let end = this.memoryBytes;
        for (const page of [...pages].sort((a, b) => a - b)) {
            const last = this.pages[this.pages.length - 1];
            if (last && last.to === page * PAGE) {
                last.to += PAGE;
            } else {
                this.pages.push({from: page * PAGE, to: (page + 1) * PAGE, start: end});
            }
            end += PAGE;
        }
        this.total = Math.max(1, end);
    }

    // Where a block is drawn.
    place(block) {
        if (block.kind !== KIND.ELSEWHERE) {
            return block.at;
        }
        const range = this.pages.find((each) => block.at >= each.from && block.at < each.to);
        return range ? range.start + (block.at - range.from) : 0;
    }

    keepFrames() {
        const every = Math.max(KEYFRAME_EVERY_MIN, Math.ceil(this.count / KEYFRAMES_MAX));
        for (let frame = 0; frame < this.count; frame++) {
            this.apply(frame, null);
            if (frame % every === 0) {
                this.keyframes.set(frame, new Map(this.state));
            }
        }
        this.every = every;
    }

    // Blocks are never changed, only replaced: frames may share them.
    apply(frame, changes) {
        this.at = this.offsets[frame];
        const count = this.number();
        for (let i = 0; i < count; i++) {
            const kind = this.number();
            if (kind === KIND.GONE) {
                const key = keyOf(this.number(), this.number());
                changes?.push({before: this.state.get(key), after: null});
                this.state.delete(key);
                continue;
            }
            const block = {kind, at: this.number(), bytes: this.number(), requested: this.number(),
                           tag: this.number(), owner: this.number(), born: frame};
            const key = keyOf(layerOf(kind), block.at);
            const before = this.state.get(key);
            if (before && before.kind === kind && before.owner === block.owner &&
                before.tag === block.tag) {
                block.born = before.born;
            }
            changes?.push({before: before ?? null, after: block});
            this.state.set(key, block);
        }
        this.frame = frame;
    }

    // Makes `state` that of the frame; returns what the frame changed: [{before, after}].
    seek(frame) {
        const before = frame - 1;
        if (frame === 0) {
            this.state = new Map();
            this.frame = before;
        } else if (this.frame !== before) {
            const key = Math.floor(before / this.every) * this.every;
            if (this.frame > before || this.frame < key) {
                this.state = new Map(this.keyframes.get(key));
                this.frame = key;
            }
            while (this.frame < before) {
                this.apply(this.frame + 1, null);
            }
        }
        const changes = [];
        this.apply(frame, changes);
        return changes;
    }

    blocks(layer) {
        return [...this.state.values()].filter((block) => layerOf(block.kind) === layer)
            .sort((a, b) => a.at - b.at);
    }

    figure(frame, which) {
        return this.figures[frame * FIGURES + which];
    }
}

function decodeBase64(text) {
    const binary = atob(text.replace(/\s+/g, ""));
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) {
        bytes[i] = binary.charCodeAt(i);
    }
    return bytes;
}
