// Says at a figure whose module does not run why it stands still. Written for browsers of any age.
;(function () {
  var TOO_OLD = "The figure stands still: this browser is too old for it."
  var TYPES = /^(application|text)\/(x-)?(java|ecma|j)script/i

  /** Call back once the whole page has been read: a script in the head may fail before its figure is there. */
  function whenRead(callback) {
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", callback)
    else callback()
  }

  /** Give a figure the height of what it shows, and put the reason in place of its note; a command may follow. */
  function say(selector, reason, command) {
    whenRead(function () {
      var figures = document.querySelectorAll(selector)
      for (var index = 0; index < figures.length; index++) {
        if (figures[index].shadowRoot) continue // it runs
        figures[index].classList.add("still")
        var notes = figures[index].querySelectorAll("small")
        var note = notes[notes.length - 1]
        note.className = "why"
        note.textContent = reason
        if (command) note.appendChild(document.createElement("code")).textContent = command
      }
    })
  }

  /** The element that a module defines, by the module's address. */
  function element(address) {
    return "bbb-" + /([\w-]+)\.js/.exec(address)[1].replace(/_/g, "-")
  }

  /** Look at what the server answers for a module that the browser did not take. */
  function ask(address) {
    var tell = say.bind(null, element(address))
    if (location.protocol === "file:") {
      return tell("The page was opened as a file, and a browser runs no module from one. Served, the figure moves: ", "make serve")
    }
    var away = "The figure stands still: its module could not be fetched. Load the page again once the server is there."
    tell(away)
    fetch(address).then(function (response) {
      var type = response.headers.get("Content-Type")
      if (!response.ok) {
        tell("The figure stands still: the server answers " + response.status + " for its module, " + response.url)
      } else if (!TYPES.test(type)) {
        tell("The figure stands still: the server sends its module as " + (type || "nothing") + ". A browser runs text/javascript.")
      }
    }, function () {})
  }

  window.figureStandsStill = function (script) {
    ask(script.src)
  }
  /** A figure that fails to start tells of it by itself: an error in one names the page, not always the module. */
  window.figureFailed = function (name, message) {
    say(name, "The figure stands still: it stopped with an error. (" + message + ")")
  }
  // A module that came and could not be read or run: the event names its address, which is that of no other script.
  addEventListener("error", function (event) {
    if (!/\/_static\/live\//.test(event.filename)) return
    say(
      element(event.filename),
      /SyntaxError/.test(event.message) && !customElements.get(element(event.filename))
        ? "The figure stands still: this browser cannot read its module, and may be too old. (" + event.message + ")"
        : "The figure stands still: it stopped with an error. (" + event.message + ")",
    )
  })
  if (!("noModule" in document.createElement("script")) || !window.customElements || !window.fetch) say(".bbb-live", TOO_OLD)
})()
