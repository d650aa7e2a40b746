// What the reviewers' page does not need, but is better with. Nothing here makes elements from text.
"use strict";

// One box for all boxes of a table, and how many are selected.
for (const cell of document.querySelectorAll("[data-part=select-all]")) {
    const boxes = [...cell.closest("form").querySelectorAll("input[name=id]")];
    const all = document.createElement("input");
    all.type = "checkbox";
    all.setAttribute("aria-label", "Select all on this page");
    const legend = cell.closest("form").querySelector("legend");
    const words = legend.textContent;
    legend.setAttribute("aria-live", "polite");
    const count = () => {
        const selected = boxes.filter((box) => box.checked).length;
        all.checked = selected === boxes.length;
        all.indeterminate = selected !== 0 && selected !== boxes.length;
        legend.textContent = words + " (" + selected + ")";
    };
    all.addEventListener("change", () => {
        for (const box of boxes) {
            box.checked = all.checked;
        }
        count();
    });
    for (const box of boxes) {
        box.addEventListener("change", count);
    }
    cell.append(all);
    count();
}

// A form is sent once. The button that sent it has its value in the request already.
for (const form of document.querySelectorAll("form[method=post]")) {
    form.addEventListener("submit", () => {
        setTimeout(() => {
            for (const button of form.querySelectorAll("button")) {
                button.disabled = true;
            }
        });
    });
}

// Back to a page that was sent from: its buttons work again.
addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("button")) {
        button.disabled = false;
    }
});
