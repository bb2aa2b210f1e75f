// The Action Units of the face that is followed: a bar, a number and the FACS name for each.

const MOST = 5; // the strongest intensity
const SURE = 0.7; // of less, little can be said
const element = (id) => document.getElementById(id);
const write = (target, text) => target.textContent !== text && (target.textContent = text);

let shares = []; // the bars, in the order of `aus`
let numbers = [];

/** Make a row for each; `units`: [{label, name}], empty where none are measured. */
export function learnUnits(units = []) {
  element("units").hidden = !units.length;
  const rows = units.map(({ label, name }) => {
    const row = document.createElement("li");
    row.innerHTML = '<span class="unit"></span> <span class="facs"></span> <span class="track" aria-hidden="true"><span></span></span> <span class="intensity">–</span>';
    row.dataset.unit = label;
    row.querySelector(".unit").textContent = label;
    row.querySelector(".facs").textContent = name;
    return row;
  });
  element("unit-list").replaceChildren(...rows);
  shares = rows.map((row) => row.querySelector(".track span"));
  numbers = rows.map((row) => row.querySelector(".intensity"));
}

/** Show those of a face; undefined for none. */
export function showUnits(face) {
  if (!numbers.length) return;
  write(element("units-title"), face ? `Action Units of face ${face.id}` : "Action Units");
  element("units-unsure").hidden = !face?.aus || face.auConfidence >= SURE;
  numbers.forEach((number, at) => {
    const value = face?.aus?.[at];
    shares[at].style.width = `${((value ?? 0) / MOST) * 100}%`;
    number.closest("li").classList.toggle("none", !value);
    write(number, value === undefined ? "–" : value.toFixed(1));
  });
}
