import {render} from 'preact';
import {App} from './app';
import './style.css';

const page = document.getElementById('page')!;
page.replaceChildren();  // What is said to who has no script.
render(<App />, page);
