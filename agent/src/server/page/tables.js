// Tables with sorting, filter and updates in place: a row is made once, and only changed text is written.
"use strict";

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

/** Sets changed text. Data of the host is only ever set as text, so a name cannot be markup. */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * A table. `columns`: {field, title, show(item), value(item)?, isText?, kind?}: kind "name" has a swatch, "spark" a line.
 */
class Table {
  constructor(table, { columns, key, colour, isOver, sort, sparklines, empty }) {
    Object.assign(this, { table, columns, key, colour, isOver, sparklines, empty });
    this.sort = { ...sort };
    this.rows = new Map();
    this.items = [];
    this.body = element("tbody");
    this.heads = columns.map((column) => this.head(column));
    table.append(element("thead", {}, element("tr", {}, ...this.heads)), this.body);
    this.markSort();
  }

  head(column) {
    const head = element("th", { scope: "col", "data-field": column.field });
    if (!column.isText) head.classList.add("number");
    if (column.kind === "spark" || column.isFixed) {
      head.classList.remove("number");
      head.textContent = column.title;
      return head;
    }
    const button = element("button", { type: "button" });
    button.textContent = column.title;
    button.addEventListener("click", () => {
      const isSame = this.sort.field === column.field;
      this.sort = { field: column.field, isDown: isSame ? !this.sort.isDown : !column.isText };
      this.markSort();
      this.arrange();
    });
    head.append(button);
    return head;
  }

  markSort() {
    for (const head of this.heads) {
      if (!head.querySelector("button")) continue;
      const isIt = head.dataset.field === this.sort.field;
      head.setAttribute("aria-sort", isIt ? (this.sort.isDown ? "descending" : "ascending") : "none");
    }
  }

  set(items) {
    this.items = items;
    const keys = new Set(items.map(this.key));
    for (const [key, row] of this.rows) {
      if (keys.has(key)) continue;
      if (row.spark) this.sparklines.remove(row.spark);
      row.line.remove();
      this.rows.delete(key);
    }
    for (const item of items) this.fill(item);
    this.arrange();
  }

  fill(item) {
    const key = this.key(item);
    const row = this.rows.get(key) ?? this.make(item, key);
    row.line.classList.toggle("over", this.isOver?.(item) ?? false);
    this.columns.forEach((column, index) => {
      const cell = row.cells[index];
      if (column.kind === "spark") return;
      write(cell.text, column.show(item));
      const value = (column.value ?? ((one) => one[column.field]))(item);
      if (known(value)) cell.box.dataset.value = String(value);
      else delete cell.box.dataset.value;
      if (column.mark) cell.box.className = `${cell.base} ${column.mark(item)}`.trim();
    });
  }

  make(item, key) {
    const line = element("tr", { "data-key": key });
    const row = { line, cells: [] };
    for (const column of this.columns) {
      const box = element(column.kind === "name" ? "th" : "td", { "data-field": column.field });
      let text = box;
      if (column.kind === "name") {
        box.scope = "row";
        text = element("span");
        const name = element("span", { class: "name" });
        if (this.colour) {
          const swatch = element("span", { class: "swatch", "aria-hidden": "true" });
          swatch.style.setProperty("--color", this.colour(item));
          name.append(swatch);
        }
        name.append(text);
        box.append(name);
        box.title = column.show(item);
      } else if (column.kind === "spark") {
        box.classList.add("spark");
        box.setAttribute("aria-hidden", "true");
        row.spark = box;
        this.sparklines.add(box, key, this.colour(item));
      } else {
        if (!column.isText) box.classList.add("number");
        if (column.isLong) box.classList.add("wrap");
      }
      line.append(box);
      row.cells.push({ box, text, base: box.className });
    }
    this.rows.set(key, row);
    return row;
  }

  /** Matching rows, in order. Rows at the right position are not touched. */
  arrange() {
    const column = this.columns.find((one) => one.field === this.sort.field);
    const value = column.value ?? ((item) => item[column.field]);
    const isWanted = this.isWanted ?? (() => true);
    const wanted = this.items.filter(isWanted);
    wanted.sort((one, other) => {
      const [a, b] = [value(one), value(other)];
      // Unknown values are last in both orders.
      if (!known(a) || !known(b)) return known(b) - known(a);
      const order = typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b;
      return this.sort.isDown ? -order : order;
    });
    this.shown = wanted.length;
    let place = this.body.firstChild;
    for (const item of wanted) {
      const { line } = this.rows.get(this.key(item));
      if (line === place) place = place.nextSibling;
      else this.body.insertBefore(line, place);
    }
    while (place) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
    if (wanted.length === 0) {
      this.nothing ??= element("tr", {}, element("td", { class: "empty", colspan: String(this.columns.length) }));
      write(this.nothing.firstChild, this.items.length === 0 ? this.empty : "No row matches the filter.");
      this.body.append(this.nothing);
    }
  }
}
