set terminal svg size 1100,340 noenhanced background '#ffffff'
set output 'alphas.svg'
set grid y
$rows << END
"alpha" "0.5" "1" "2" "4"
"epoch 4" 0.0158 0.0208 0.0233 0.0083
"epoch 8" 0.1908 0.2492 0.2483 0.1608
"epoch 12" 0.5083 0.6533 0.6408 0.5167
"epoch 16" 0.8792 0.925 0.8792 0.7158
"epoch 20" 0.9 0.9492 0.9217 0.6725
"epoch 24" 0.9142 0.9642 0.9392 0.7283
"epoch 28" 0.9317 0.9775 0.9458 0.7333
"epoch 32" 0.9308 0.985 0.9567 0.7258
"epoch 36" 0.9292 0.985 0.9592 0.775
"epoch 40" 0.94 0.9875 0.9667 0.7675
END
unset grid
unset key
set cbrange [0:1]
set palette defined (0 '#ffffff', 1 '#1f5fa8')
set xlabel 'alpha'
set title 'swapped, test wordings'
set yrange [] reverse
set lmargin 60
plot $rows matrix columnheaders rowheaders using 1:2:3 with image
