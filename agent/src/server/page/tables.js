// Tables with sorting, filter and updates in place: only the rows that are shown exist, and only changed text is written.
"use strict";

/** Rows of a table, running and ended each, until the user asks for all. */
const FIRST_ROWS = 20;

const find = (id) => document.getElementById(id);

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
 * `onOpen(item)` is called for a row that is chosen, `onChange()` when the user changed order or rows.
 *
 * Roles are explicit, because some browsers drop them when a narrow window shows rows as cards.
 */
class Table {
  constructor(table, { columns, key, colour, isOver, sort, sparklines, empty, onOpen, onChange }) {
    Object.assign(this, { table, columns, key, colour, isOver, sparklines, empty, onOpen, onChange });
    this.usualSort = { ...sort };
    this.sort = { ...sort };
    this.rows = new Map();
    this.items = [];
    this.matching = 0;
    this.isAll = false;
    this.isUnfolded = false;
    this.body = element("tbody", { role: "rowgroup" });
    this.heads = columns.map((column) => this.head(column));
    this.fold = this.wide("fold", () => { this.isUnfolded = !this.isUnfolded; });
    this.more = this.wide("more", () => { this.isAll = !this.isAll; });
    const foot = element("tfoot", { role: "rowgroup" }, this.more.line);
    table.setAttribute("role", "table");
    table.append(element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...this.heads)), this.body, foot);
    if (onOpen) {
      table.classList.add("opens");
      this.body.addEventListener("click", (event) => this.choose(event));
    }
    this.markSort();
    this.watchWidth();
  }

  head(column) {
    const head = element("th", { scope: "col", role: "columnheader", "data-field": column.field });
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
      this.onChange?.();
    });
    head.append(button);
    return head;
  }

  /** A row of one cell with a button. */
  wide(name, press) {
    const button = element("button", { type: "button" });
    button.addEventListener("click", () => {
      press();
      this.arrange();
      this.onChange?.();
    });
    const cell = element("td", { role: "cell", colspan: String(this.columns.length) }, button);
    return { line: element("tr", { class: name, role: "row" }, cell), button };
  }

  /** A table that fits has no scroll container of its own, so that its head sticks to the top of the window. */
  watchWidth() {
    const box = this.table.parentElement;
    const observer = new ResizeObserver(() => {
      const room = box.clientWidth - 2 * parseFloat(getComputedStyle(box).paddingLeft);
      box.classList.toggle("fits", this.table.offsetWidth <= Math.ceil(room));
    });
    observer.observe(this.table);
    observer.observe(box);
  }

  markSort() {
    for (const head of this.heads) {
      if (!head.querySelector("button")) continue;
      const isIt = head.dataset.field === this.sort.field;
      head.setAttribute("aria-sort", isIt ? (this.sort.isDown ? "descending" : "ascending") : "none");
    }
  }

  /** The order as text, as in the API; empty for the usual one. */
  get order() {
    const text = ({ field, isDown }) => `${isDown ? "-" : ""}${field}`;
    return text(this.sort) === text(this.usualSort) ? "" : text(this.sort);
  }

  set order(text) {
    const field = text.replace(/^-/, "");
    const isColumn = this.columns.some((one) => one.field === field && one.kind !== "spark" && !one.isFixed);
    this.sort = isColumn ? { field, isDown: text.startsWith("-") } : { ...this.usualSort };
    this.markSort();
  }

  set(items) {
    this.items = items;
    this.arrange();
  }

  /** Opens the row of a click or of Enter on its button, but not when text was selected. */
  choose(event) {
    const line = event.target.closest("tr[data-key]");
    const isSelecting = event.detail > 0 && String(getSelection()) !== "";
    if (!line || isSelecting) return;
    const item = this.items.find((one) => this.key(one) === line.dataset.key);
    if (item) this.onOpen(item);
  }

  /** Focuses the row with this key; the head if the row is not shown. */
  focus(key) {
    const button = this.rows.get(key)?.line.querySelector("button") ?? this.heads[0].querySelector("button");
    button?.focus({ preventScroll: true });
  }

  /** The row of an item, with its figures. */
  line(item) {
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
    return row.line;
  }

  make(item, key) {
    const line = element("tr", { role: "row", "data-key": key });
    const row = { line, cells: [] };
    for (const column of this.columns) {
      const isName = column.kind === "name";
      const box = element(isName ? "th" : "td", { role: isName ? "rowheader" : "cell", "data-field": column.field });
      let text = box;
      if (isName) {
        box.scope = "row";
        text = this.onOpen ? element("button", { type: "button", "aria-haspopup": "dialog" }) : element("span");
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
        this.sparklines.add(box, key, this.colour(item), this);
      } else {
        if (!column.isText) box.classList.add("number");
        if (column.isLong) box.classList.add("wrap");
        box.dataset.title = column.title;
      }
      line.append(box);
      row.cells.push({ box, text, base: box.className });
    }
    this.rows.set(key, row);
    return row;
  }

  sorted(items) {
    const column = this.columns.find((one) => one.field === this.sort.field);
    const value = column.value ?? ((item) => item[column.field]);
    return items.sort((one, other) => {
      const [a, b] = [value(one), value(other)];
      // Unknown values are last in both orders, and of those that ended the latest is first.
      if (!known(a) && !known(b)) return (other.ended_unix_seconds ?? 0) - (one.ended_unix_seconds ?? 0);
      if (!known(a) || !known(b)) return known(b) - known(a);
      const order = typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b;
      return this.sort.isDown ? -order : order;
    });
  }

  /** Shows the matching rows: running ones in order, then the folded line of those that have ended. */
  arrange() {
    const isWanted = this.isWanted ?? (() => true);
    const wanted = this.sorted(this.items.filter(isWanted));
    const isOver = this.isOver ?? (() => false);
    const groups = { running: wanted.filter((one) => !isOver(one)), ended: wanted.filter(isOver) };
    this.matching = wanted.length;
    const first = (items) => (this.isAll ? items : items.slice(0, FIRST_ROWS));
    const shown = [first(groups.running), this.isUnfolded ? first(groups.ended) : []];
    const lines = shown.map((items) => items.map((item) => this.line(item)));
    if (groups.ended.length > 0) lines.splice(1, 0, [this.fold.line]);
    if (wanted.length === 0) lines.push([this.nothing()]);
    this.place(lines.flat());
    write(this.fold.button, `ended: ${groups.ended.length}`);
    this.fold.button.setAttribute("aria-expanded", String(this.isUnfolded));
    const total = groups.running.length + (this.isUnfolded ? groups.ended.length : 0);
    write(this.more.button, this.isAll ? `show the first ${FIRST_ROWS}` : `show all (${total})`);
    const most = Math.max(groups.running.length, this.isUnfolded ? groups.ended.length : 0);
    this.more.line.hidden = most <= FIRST_ROWS;
    this.sparklines.rescale();
  }

  /** Makes these lines the body. Lines at the right position are not touched, and the focus stays on its row. */
  place(lines) {
    const focused = this.body.contains(document.activeElement) ? document.activeElement : null;
    const index = focused ? [...this.body.rows].indexOf(focused.closest("tr")) : -1;
    const kept = new Set(lines);
    for (const [key, row] of this.rows) {
      if (kept.has(row.line)) continue;
      if (row.spark) this.sparklines.remove(row.spark);
      row.line.remove();
      this.rows.delete(key);
    }
    let place = this.body.firstChild;
    for (const line of lines) {
      if (line === place) place = place.nextSibling;
      else this.body.insertBefore(line, place);
    }
    while (place) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
    if (!focused || focused === document.activeElement) return;
    // A row that moves or goes loses the focus: the row in its place gets it.
    const button = focused.isConnected ? focused : this.body.rows[Math.min(index, lines.length - 1)]?.querySelector("button");
    button?.focus({ preventScroll: true });
  }

  nothing() {
    const cell = () => element("td", { class: "empty", role: "cell", colspan: String(this.columns.length) });
    this.emptyLine ??= element("tr", { role: "row" }, cell());
    write(this.emptyLine.firstChild, this.items.length === 0 ? this.empty : "No row matches the filter.");
    return this.emptyLine;
  }

  /** Says what the figures of a column consist of, where that is not in its title. */
  showHelp() {
    this.columns.forEach((column, index) => {
      if (column.help && this.heads[index].title !== column.help()) this.heads[index].title = column.help();
    });
  }

  /** Says the scale that the lines of all rows share. */
  showScale(top) {
    const index = this.columns.findIndex((column) => column.kind === "spark");
    if (index >= 0) write(this.heads[index], `${this.columns[index].title}, 0 to ${top} W`);
  }
}
