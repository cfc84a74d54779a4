// SPDX-License-Identifier: MIT
// The player: canvas, slider, keys, and what is said of blocks.
"use strict";

const ROWS = 12;
const ROW_GAP = 5;
const LABEL = 74;
const CURVES = [["bytes asked for", "--c0"], ["bytes in use", "--c1"], ["free bytes", "--c2"],
                ["largest free block", "--c3"]];
const FRAGMENTATION = "fragmentation of free memory";

const about = JSON.parse(document.getElementById("about").textContent);
const operations = document.getElementById("operations").textContent.split("\n");
const film = new Film(decodeBase64(document.getElementById("film").textContent));
const byId = (id) => document.getElementById(id);
const memory = byId("memory");
const curves = byId("curves");
const view = {frame: 0, from: 0, span: film.total, playing: 0, selected: null, changes: [], shown: []};

const hex = (value) => "0x" + value.toString(16);
const show = (value) => value.toLocaleString("en");
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function hueOf(block) {
    const shade = (block.kind === KIND.HEAD || block.kind === KIND.TAIL ? block.tag : block.owner) % 5;
    return (block.kind === KIND.TAIL ? 5 : 150) + shade * 17;
}

function nameOf(block) {
    const names = {[KIND.HEAD]: "HEAD block", [KIND.TAIL]: "TAIL block", [KIND.FREE]: "free block",
                   [KIND.BLOCK]: "block", [KIND.ELSEWHERE]: "block in other memory",
                   [KIND.MEMORY]: "memory that the subject has"};
    return names[block.kind] ?? "what the model expects";
}

function placeText(block) {
    return block.kind === KIND.ELSEWHERE ? hex(block.at) : show(block.at);
}

// ---- the memory

function fit(canvas) {
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
        canvas.width = Math.round(width * ratio);
        canvas.height = Math.round(height * ratio);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    return {pen, width, height};
}

// Calls put(x, y, width, height) for each piece of bytes from..to-1 that is in view.
function pieces(box, from, to, put) {
    const rowBytes = view.span / ROWS;
    const first = Math.max(0, Math.floor((from - view.from) / rowBytes));
    for (let row = first; row < ROWS; row++) {
        const start = view.from + row * rowBytes;
        if (start >= to) {
            return;
        }
        const low = Math.max(from, start);
        const high = Math.min(to, start + rowBytes);
        if (high > low) {
            const scale = box.rowWidth / rowBytes;
            put(LABEL + (low - start) * scale, row * box.pitch + ROW_GAP,
                Math.max(0.5, (high - low) * scale), box.pitch - ROW_GAP);
        }
    }
}

function fill(box, from, to, style) {
    box.pen.fillStyle = style;
    pieces(box, from, to, (x, y, width, height) => box.pen.fillRect(x, y, width, height));
}

function frameBlock(box, block, style, width) {
    const at = film.place(block);
    box.pen.strokeStyle = style;
    box.pen.lineWidth = width;
    pieces(box, at, at + block.bytes, (x, y, w, h) =>
        box.pen.strokeRect(x + width / 2, y + width / 2, Math.max(1, w - width), h - width));
}

function drawBlock(box, block, colours) {
    const at = film.place(block);
    const end = at + block.bytes;
    if (block.kind === KIND.FREE || block.kind === KIND.MEMORY) {
        fill(box, at, end, colours.free);
        box.pen.fillStyle = colours.line;
        pieces(box, at, at + 1, (x, y, _, height) => box.pen.fillRect(x, y, 1, height));
        return;
    }
    const header = block.kind === KIND.HEAD || block.kind === KIND.TAIL ? film.headerBytes : 0;
    fill(box, at, end, `hsl(${hueOf(block)} 55% 47%)`);
    if (header > 0) {
        fill(box, at, at + header, "rgb(0 0 0 / .45)");
    }
    if (at + header + block.requested < end) {
        fill(box, at + header + block.requested, end, "rgb(255 255 255 / .55)");
    }
}

function drawMemory() {
    const box = fit(memory);
    box.pitch = (box.height - ROW_GAP) / ROWS;
    box.rowWidth = box.width - LABEL - 6;
    const colours = {free: colour("--free"), line: colour("--line"), dim: colour("--dim")};
    box.pen.font = "12px sans-serif";
    box.pen.textAlign = "right";
    fill(box, 0, film.total, colour("--none"));
    for (let row = 0; row < ROWS; row++) {
        box.pen.fillStyle = colours.dim;
        box.pen.fillText(show(Math.round(view.from + row * view.span / ROWS)), LABEL - 8,
                         row * box.pitch + box.pitch / 2 + 6);
    }
    for (const block of film.blocks(LAYER.MEMORIES)) {
        drawBlock(box, block, colours);
    }
    for (const block of view.shown) {
        drawBlock(box, block, colours);
    }
    if (view.changes.length <= 200) {
        for (const {after} of view.changes) {
            if (after && layerOf(after.kind) !== LAYER.EXPECTED) {
                frameBlock(box, after, colour("--change"), 2);
            }
        }
    }
    for (const {expected, found} of view.differences ?? []) {
        frameBlock(box, found ?? expected, colour("--bad"), 3);
    }
    if (view.selected) {
        frameBlock(box, view.selected, colour("--ink"), 2);
    }
}

function byteAt(event) {
    const rect = memory.getBoundingClientRect();
    const pitch = (rect.height - ROW_GAP) / ROWS;
    const row = Math.min(ROWS - 1, Math.max(0, Math.floor((event.clientY - rect.top) / pitch)));
    const share = (event.clientX - rect.left - LABEL) / (rect.width - LABEL - 6);
    return share < 0 || share > 1 ? -1 : view.from + (row + share) * view.span / ROWS;
}

function zoom(factor, around) {
    const at = around ?? view.from + view.span / 2;
    const span = Math.min(film.total, Math.max(ROWS * 16, view.span * factor));
    move(at - (at - view.from) * span / view.span, span);
}

function move(from, span = view.span) {
    view.span = span;
    view.from = Math.max(0, Math.min(film.total - span, from));
    schedule();
}

// ---- the curves

function fragmentation(frame) {
    const free = film.figure(frame, 2);
    return free > 0 ? 1 - film.figure(frame, 3) / free : 0;
}

// They are drawn once; the cursor over them each time.
let curvePicture = null;

function drawCurves() {
    const box = fit(curves);
    const shown = about.heap ? CURVES : CURVES.slice(0, 2);
    if (!curvePicture || curvePicture.width !== curves.width) {
        let most = 1;
        for (const value of film.figures) {
            most = Math.max(most, value);
        }
        const x = (frame) => frame / Math.max(1, film.count - 1) * box.width;
        const line = (style, value) => {
            box.pen.strokeStyle = style;
            box.pen.lineWidth = 1.5;
            box.pen.beginPath();
            const step = Math.max(1, Math.floor(film.count / (box.width * 4)));
            for (let frame = 0; frame < film.count; frame += step) {
                box.pen.lineTo(x(frame), box.height - 3 - value(frame) * (box.height - 8));
            }
            box.pen.stroke();
        };
        shown.forEach(([, name], which) => line(colour(name), (frame) => film.figure(frame, which) / most));
        if (about.heap) {
            line(colour("--bad"), fragmentation);
        }
        curvePicture = document.createElement("canvas");
        curvePicture.width = curves.width;
        curvePicture.height = curves.height;
        curvePicture.getContext("2d").drawImage(curves, 0, 0);
    } else {
        box.pen.drawImage(curvePicture, 0, 0, box.width, box.height);
    }
    box.pen.fillStyle = colour("--ink");
    box.pen.fillRect(view.frame / Math.max(1, film.count - 1) * box.width - 0.75, 0, 1.5, box.height);
}

// ---- words

function put(parent, tag, text) {
    const node = document.createElement(tag);
    node.textContent = text;
    parent.append(node);
    return node;
}

function describe(block) {
    const box = byId("block");
    box.textContent = "";
    if (!block) {
        put(box, "p", "Point at a block, or press n and p.").className = "dim";
        return;
    }
    const list = put(box, "dl", "");
    const fact = (name, value) => {
        put(list, "dt", name);
        put(list, "dd", value);
    };
    fact("what", nameOf(block));
    fact("at", placeText(block));
    fact("bytes, all", show(block.bytes));
    if (block.kind === KIND.HEAD || block.kind === KIND.TAIL) {
        fact("header", `${film.headerBytes} bytes`);
    }
    if (block.kind !== KIND.FREE && block.kind !== KIND.MEMORY) {
        const header = block.kind === KIND.HEAD || block.kind === KIND.TAIL ? film.headerBytes : 0;
        fact("asked for", `${show(block.requested)} bytes`);
        fact(about.guard > 0 && about.heap ? "slack, a canary" : "slack",
             `${show(block.bytes - header - block.requested)} bytes`);
        fact("tag", hex(block.tag));
        fact(about.heap ? "site" : "slot", about.heap ? `${block.owner} (slot ${block.owner - 1})`
            : String(block.owner - 1));
        fact("age", `${show(view.frame - block.born)} operations`);
    }
}

function tellChange({before, after}) {
    const what = after ?? before;
    if (before && after && before.kind === after.kind) {
        const parts = [["bytes", before.bytes, after.bytes], ["asked for", before.requested, after.requested],
                       ["tag", hex(before.tag), hex(after.tag)]];
        const told = parts.filter(([, a, b]) => a !== b).map(([name, a, b]) => `${name} ${a} to ${b}`);
        return `${nameOf(what)} at ${placeText(what)}: ${told.join(", ") || "another one"}`;
    }
    if (before && after) {
        return `${nameOf(before)} at ${placeText(what)}, ${show(before.bytes)} bytes, became ` +
            `${nameOf(after)}, ${show(after.bytes)} bytes`;
    }
    return after ? `${nameOf(after)} at ${placeText(after)}, ${show(after.bytes)} bytes`
        : `gone: ${nameOf(before)} at ${placeText(before)}`;
}

function tellFrame() {
    const changes = byId("changes");
    const seen = view.changes.filter(({before, after}) =>
        layerOf((after ?? before).kind) !== LAYER.EXPECTED);
    changes.textContent = "";
    for (const change of seen.slice(0, 50)) {
        put(changes, "li", tellChange(change));
    }
    if (seen.length > 50) {
        put(changes, "li", `and ${show(seen.length - 50)} more`);
    }
    const failed = view.isFailed && view.frame === film.count - 1;
    const words = view.frame === 0 ? "before the first operation"
        : operations[view.frame - 1]
            ? `operation ${show(view.frame - 1)}: ${operations[view.frame - 1]}`
            : "the end, when all is freed";
    const now = words + (failed ? `, which fails: ${film.failure.message}` : "") +
        ` (${seen.length === 1 ? "1 change" : show(seen.length) + " changes"})`;
    byId("now").textContent = now;
    memory.setAttribute("aria-label", `the memory, ${show(view.shown.length)} blocks, after ${words}`);
    const figures = byId("figures");
    figures.textContent = "";
    (about.heap ? CURVES : CURVES.slice(0, 2)).forEach(([name], which) => {
        put(figures, "dt", name);
        put(figures, "dd", show(film.figure(view.frame, which)));
    });
    if (about.heap) {
        put(figures, "dt", FRAGMENTATION);
        put(figures, "dd", (100 * fragmentation(view.frame)).toFixed(1) + " %");
    }
    put(figures, "dt", "blocks");
    put(figures, "dd", show(view.shown.length));
}

// Blocks of the two lists that are not the same.
function findDifferences() {
    const expected = new Map(film.blocks(LAYER.EXPECTED).map((block) => [block.at, block]));
    if (expected.size === 0) {
        return null;
    }
    const found = new Map(view.shown.map((block) => [block.at, block]));
    const kinds = KIND.EXPECTED_HEAD - KIND.HEAD;
    const differences = [];
    for (const at of [...new Set([...expected.keys(), ...found.keys()])].sort((a, b) => a - b)) {
        const [e, f] = [expected.get(at), found.get(at)];
        if (!e || !f || e.kind - kinds !== f.kind || e.bytes !== f.bytes || e.tag !== f.tag ||
            e.requested !== f.requested || e.owner !== f.owner) {
            differences.push({expected: e, found: f});
        }
    }
    return differences;
}

function tellDifferences() {
    view.differences = findDifferences();
    const words = (block) => !block ? "no block here"
        : `${["HEAD", "TAIL", "free"][(block.kind - 1) % 6]}, ${show(block.bytes)} bytes, ` +
          `asked for ${show(block.requested)}, tag ${hex(block.tag)}, site ${block.owner}`;
    byId("difference").hidden = !view.differences;
    byId("differences").textContent = "";
    for (const {expected, found} of (view.differences ?? []).slice(0, 100)) {
        const row = put(byId("differences"), "tr", "");
        put(row, "td", show((found ?? expected).at));
        put(row, "td", words(expected));
        put(row, "td", words(found));
    }
    if (view.differences && view.differences.length === 0) {
        const row = put(byId("differences"), "tr", "");
        put(row, "td", "");
        put(row, "td", "the blocks are the same: what differs is told above").colSpan = 2;
    }
}

// ---- time

let scheduled = 0;

function schedule() {
    if (!scheduled) {
        scheduled = requestAnimationFrame(draw);
    }
}

function draw() {
    scheduled = 0;
    drawMemory();
    drawCurves();
}

function go(frame) {
    view.frame = Math.max(0, Math.min(film.count - 1, Math.round(frame)));
    view.changes = film.seek(view.frame);
    view.shown = [...film.blocks(LAYER.BLOCKS), ...film.blocks(LAYER.OTHERS)];
    const chosen = view.selected;
    view.selected = chosen && (view.shown.find((block) => block.at === chosen.at) ?? null);
    byId("slider").value = view.frame;
    byId("slider").setAttribute("aria-valuetext", `operation ${view.frame} of ${film.count - 1}`);
    byId("goto").value = view.frame;
    tellDifferences();
    tellFrame();
    describe(view.selected);
    schedule();
}

function play(on) {
    cancelAnimationFrame(view.playing);
    view.playing = 0;
    byId("play").textContent = on ? "Stop" : "Play";
    if (!on) {
        return;
    }
    let start = performance.now();
    let from = view.frame >= film.count - 1 ? 0 : view.frame;
    let speed = Number(byId("speed").value);
    const step = (now) => {
        if (Number(byId("speed").value) !== speed) {
            [start, from, speed] = [now, view.frame, Number(byId("speed").value)];
        }
        const next = from + Math.max(0, Math.floor((now - start) / 1000 * speed));
        if (next !== view.frame) {
            go(next);
        }
        if (view.frame >= film.count - 1) {
            play(false);
            return;
        }
        view.playing = requestAnimationFrame(step);
    };
    view.playing = requestAnimationFrame(step);
}

function select(step) {
    if (view.shown.length === 0) {
        return;
    }
    const at = view.selected ? view.shown.findIndex((block) => block.at === view.selected.at) : -1;
    const next = at < 0 ? (step > 0 ? 0 : view.shown.length - 1)
        : Math.max(0, Math.min(view.shown.length - 1, at + step));
    view.selected = view.shown[next];
    const place = film.place(view.selected);
    if (place < view.from || place >= view.from + view.span) {
        move(place - view.span / 2);
    }
    describe(view.selected);
    schedule();
}

function changedFrame(step) {
    const list = film.changed;
    let low = 0;
    let high = list.length;
    while (low < high) {
        const middle = (low + high) >> 1;
        if (list[middle] <= view.frame) { low = middle + 1; } else { high = middle; }
    }
    if (step > 0) {
        return low < list.length ? list[low] : view.frame;
    }
    const at = list[low - 1] === view.frame ? low - 2 : low - 1;
    return at >= 0 ? list[at] : view.frame;
}

const far = () => Math.max(1, Math.round(film.count / 100));
const keys = {
    ArrowLeft: (event) => go(view.frame - (event.shiftKey ? 10 : 1)),
    ArrowRight: (event) => go(view.frame + (event.shiftKey ? 10 : 1)),
    PageUp: () => go(view.frame - far()),
    PageDown: () => go(view.frame + far()),
    Home: () => go(0),
    End: () => go(film.count - 1),
    " ": () => play(!view.playing),
    "+": () => zoom(0.5),
    "=": () => zoom(0.5),
    "-": () => zoom(2),
    0: () => move(0, film.total),
    ",": () => move(view.from - view.span / 4),
    ".": () => move(view.from + view.span / 4),
    n: () => select(1),
    p: () => select(-1),
    c: () => go(changedFrame(1)),
    x: () => go(changedFrame(-1)),
};

function onKey(event) {
    const inField = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    const onButton = /^(BUTTON|SUMMARY|A)$/.test(event.target.tagName) && event.key === " ";
    if (inField || onButton || event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) {
        return;
    }
    event.preventDefault();
    if (event.key !== " ") {
        play(false);
    }
    keys[event.key](event);
}

function legend(list, items) {
    for (const [text, style] of items) {
        const item = put(list, "li", "");
        const mark = put(item, "i", "");
        mark.style.background = style;
        item.append(text);
    }
}

function begin() {
    byId("player").hidden = false;
    byId("still").hidden = true;
    byId("slider").max = film.count - 1;
    byId("goto").max = film.count - 1;
    view.isFailed = film.failure !== null;
    legend(byId("legend"), about.heap
        ? [["HEAD (shade: tag)", "hsl(150 55% 47%)"], ["TAIL", "hsl(5 55% 47%)"],
           ["header", "#666"], ["slack and canary", "hsl(150 40% 75%)"], ["free", "var(--free)"],
           ["changed", "var(--change)"]]
        : [["block (shade: slot)", "hsl(150 55% 47%)"], ["slack", "hsl(150 40% 75%)"],
           ["had, and not used", "var(--free)"], ["changed", "var(--change)"]]);
    legend(byId("curve-legend"), [
        ...(about.heap ? CURVES : CURVES.slice(0, 2)).map(([name, style]) => [name, `var(${style})`]),
        ...(about.heap ? [[`${FRAGMENTATION} (0 to 100 %)`, "var(--bad)"]] : [])]);
    document.addEventListener("keydown", onKey);
    for (const button of document.querySelectorAll("[data-key]")) {
        button.addEventListener("click", () => {
            if (button.dataset.key !== " ") {
                play(false);
            }
            keys[button.dataset.key]({shiftKey: false});
        });
    }
    byId("slider").addEventListener("input", () => {
        play(false);
        go(Number(byId("slider").value));
    });
    byId("goto").addEventListener("change", () => go(Number(byId("goto").value)));
    memory.addEventListener("pointermove", (event) => {
        const at = byteAt(event);
        view.selected = view.shown.find((block) => {
            const place = film.place(block);
            return place <= at && at < place + block.bytes;
        }) ?? null;
        describe(view.selected);
        schedule();
    });
    memory.addEventListener("wheel", (event) => {
        if (event.ctrlKey || event.shiftKey) {
            event.preventDefault();
            zoom(event.deltaY > 0 ? 1.25 : 0.8, Math.max(0, byteAt(event)));
        }
    }, {passive: false});
    curves.addEventListener("pointerdown", (event) => {
        const rect = curves.getBoundingClientRect();
        play(false);
        go((event.clientX - rect.left) / rect.width * (film.count - 1));
    });
    const renew = () => {
        curvePicture = null;
        schedule();
    };
    window.addEventListener("resize", renew);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", renew);
    go(film.failure ? film.count - 1 : 0);
}

if (film.count > 0) {
    begin();
}
