/** The page's own script: reads a plot value by value with arrow keys or the pointer, and copies a command. Without it everything stands in the page all the same. */

/** Plain text in the page, and named by its hash in the page's policy: so it holds no data and no end tag. */
export const pageScript: string = `
for (const area of document.querySelectorAll('.area')) {
  const readings = JSON.parse(area.dataset.readings);
  const note = document.createElement('output');
  const cursor = document.createElement('i');
  let at = -1;
  const show = (index) => {
    at = Math.max(0, Math.min(readings.length - 1, index));
    cursor.style.left = ((at + 0.5) / readings.length) * 100 + '%';
    cursor.hidden = false;
    note.textContent = readings[at];
  };
  const hide = () => { cursor.hidden = true; note.textContent = ''; at = -1; };
  cursor.hidden = true;
  area.append(cursor);
  area.parentElement.append(note);
  area.tabIndex = 0;
  area.setAttribute('role', 'group');
  area.setAttribute('aria-label', area.firstElementChild.getAttribute('aria-label') + ' Arrow keys read it value by value.');
  area.addEventListener('keydown', (event) => {
    const moves = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: readings.length - 1 };
    if (event.key === 'Escape') return hide();
    if (!(event.key in moves)) return;
    event.preventDefault();
    show(moves[event.key]);
  });
  area.addEventListener('pointermove', (event) => {
    const box = area.getBoundingClientRect();
    show(Math.floor(((event.clientX - box.left) / box.width) * readings.length));
  });
  area.addEventListener('pointerleave', hide);
  area.addEventListener('blur', hide);
}
if (navigator.clipboard) {
  for (const box of document.querySelectorAll('.command')) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Copy';
    button.addEventListener('click', async () => {
      try {
        await navigator.clipboard.writeText(box.firstElementChild.textContent);
        button.textContent = 'Copied';
      } catch {
        button.textContent = 'Select it and press Ctrl+C';
      }
    });
    box.append(button);
  }
}
`;
