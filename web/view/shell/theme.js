// Before the first paint, and so no module: who chose a theme sees no other first.
try {
  document.documentElement.dataset.theme = JSON.parse(localStorage.getItem('damso.theme') ?? '""')
} catch {} // nothing can be kept here
