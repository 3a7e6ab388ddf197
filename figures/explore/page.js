// Sliders are plain inputs, so that keyboard, touch and screen readers work as usual; Bokeh transmits their values.

const spoken = {
  entities: value => String(value),
  log_volume: value => String(Number((10 ** value).toPrecision(3))),
}

function connectPage(sliders, said) {
  const inputs = [...document.querySelectorAll("#sliders input")]

  const choices = [...document.querySelectorAll("input[name=diagram]")]
  let waiting

  function turn(name, value) {
    sliders.data = {...sliders.data, [name]: [value]}
  }

  // The address holds the sliders, so that a page can be reloaded, bookmarked and shared. Browsers refuse to change it at every move.
  function remember() {
    clearTimeout(waiting)
    waiting = setTimeout(() => {
      const kept = Object.entries(sliders.data).map(([name, [value]]) => [name, value])
      history.replaceState(null, "", `#${new URLSearchParams(kept)}`)
    }, 300)
  }

  function recall(address) {
    const kept = new URLSearchParams(new URL(address).hash.slice(1))
    const found = {}
    for (const input of inputs) {
      const value = parseFloat(kept.get(input.id))
      if (Number.isFinite(value)) {
        input.value = value // the browser clamps it to the range
        found[input.id] = [Number(input.value)]
      }
    }
    const choice = choices.find(choice => choice.value === kept.get("diagram"))
    if (choice) found.diagram = [choice.value]
    if (Object.keys(found).length > 0) sliders.data = {...sliders.data, ...found}
  }

  function reflect() {
    for (const input of inputs) {
      const [value] = sliders.data[input.id]
      const text = (spoken[input.id] ?? (number => number.toFixed(2)))(value)
      if (Number(input.value) !== value) input.value = value
      input.setAttribute("aria-valuetext", text)
      document.querySelector(`output[for=${input.id}]`).textContent = text
    }
    for (const choice of choices) choice.checked = choice.value === sliders.data.diagram[0]
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
  for (const choice of choices) {
    choice.addEventListener("change", () => turn("diagram", choice.value))
  }
  sliders.properties.data.change.connect(reflect)
  sliders.properties.data.change.connect(remember)
  // The event's own address: by the time it arrives, `remember` may have replaced the one in the window.
  window.addEventListener("hashchange", event => recall(event.newURL))
  said.properties.data.change.connect(write)
  recall(location.href)
  reflect()
  write()
}

// Sets the weights to where the phase diagram was clicked, in steps of the sliders.
function pointAt(sliders, place) {
  const within = value => [Math.round(100 * Math.min(1, Math.max(0, value))) / 100]
  sliders.data = {...sliders.data, alpha: within(place.x), beta: within(place.y)}
}

function lostServer() {
  document.querySelector("[data-said=verdict]").textContent = "The server has stopped: start crossfeed explore again."
  document.getElementById("page").dataset.state = "waiting"
}
