// Dials are plain inputs, so that keyboard, touch and screen readers work as anywhere; Bokeh carries their values.
const DIALS = ["alpha", "beta", "entities", "log_volume", "misalignment"]

const spoken = {
  entities: value => String(value),
  log_volume: value => String(Number((10 ** value).toPrecision(3))),
}

function connectPage(dials, said) {
  const inputs = DIALS.map(name => document.getElementById(name))

  function turn(name, value) {
    dials.data = {...dials.data, [name]: [value]}
  }

  function reflect() {
    for (const input of inputs) {
      const [value] = dials.data[input.id]
      const text = (spoken[input.id] ?? (number => number.toFixed(2)))(value)
      if (Number(input.value) !== value) input.value = value
      input.setAttribute("aria-valuetext", text)
      document.querySelector(`output[for=${input.id}]`).textContent = text
    }
  }

  function write() {
    for (const element of document.querySelectorAll("[data-said]")) {
      const text = said.data[element.dataset.said]?.[0] ?? ""
      if (element.textContent !== text) element.textContent = text
    }
    document.getElementById("page").dataset.state = said.data.state?.[0] ?? "waiting"
  }

  for (const input of inputs) {
    input.addEventListener("input", () => turn(input.id, Number(input.value)))
  }
  for (const choice of document.querySelectorAll("input[name=diagram]")) {
    choice.checked = choice.value === dials.data.diagram[0]
    choice.addEventListener("change", () => turn("diagram", choice.value))
  }
  dials.properties.data.change.connect(reflect)
  said.properties.data.change.connect(write)
  reflect()
  write()
}

function lostServer() {
  document.querySelector("[data-said=verdict]").textContent = "The server has stopped: start crossfeed explore again."
  document.getElementById("page").dataset.state = "waiting"
}
