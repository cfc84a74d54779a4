// SPDX-License-Identifier: MIT
// What the page can do beyond being read: commands are copied, curves tell their values.
"use strict";

for (const button of document.querySelectorAll(".command button")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
        const text = button.parentElement.querySelector("code").textContent;
        try {
            await navigator.clipboard.writeText(text);
            button.textContent = "Copied";
        } catch {
            const range = document.createRange();
            range.selectNodeContents(button.parentElement.querySelector("code"));
            getSelection().removeAllRanges();
            getSelection().addRange(range);
            button.textContent = "Selected";
        }
    });
}

function showTime(seconds) {
    const whole = Math.round(seconds);
    const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    return parts.map((part) => String(part).padStart(2, "0")).join(":");
}

for (const chart of document.querySelectorAll("svg.chart")) {
    const points = chart.dataset.curve.split(";").map((pair) => pair.split(",").map(Number));
    const [left, right, xMax, top, bottom] = chart.dataset.frame.split(",").map(Number);
    const reading = chart.parentElement.querySelector(".reading");
    const line = document.createElementNS(chart.namespaceURI, "line");
    let at = points.length - 1;
    line.setAttribute("class", "cross");
    line.setAttribute("y1", top);
    line.setAttribute("y2", bottom);
    reading.removeAttribute("aria-hidden");
    reading.setAttribute("role", "status");
    chart.setAttribute("tabindex", "0");

    function show(index) {
        at = Math.max(0, Math.min(points.length - 1, index));
        const [seconds, value] = points[at];
        const x = left + (seconds / xMax) * (right - left);
        line.setAttribute("x1", x);
        line.setAttribute("x2", x);
        chart.append(line);
        reading.textContent = `${showTime(seconds)}: ${value.toLocaleString("en")} ${chart.dataset.unit}`;
    }

    chart.addEventListener("pointermove", (event) => {
        const box = chart.getBoundingClientRect();
        const x = ((event.clientX - box.left) / box.width) * chart.viewBox.baseVal.width;
        const seconds = ((x - left) / (right - left)) * xMax;
        const next = points.findIndex((point) => point[0] >= seconds);
        show(next < 0 ? points.length - 1 : next);
    });
    chart.addEventListener("pointerleave", () => line.remove());
    chart.addEventListener("keydown", (event) => {
        const steps = {ArrowLeft: -1, ArrowRight: 1, Home: -points.length, End: points.length};
        if (event.key in steps) {
            event.preventDefault();
            show(at + steps[event.key]);
        }
    });
}
