set terminal svg size 1100,186 noenhanced background '#ffffff'
set output 'swap.svg'
set grid y
$cells << END
0 "method sae, measure robustness" 1 0.984246 1 0.9875 0.979478 0.99241 0.746667 0.721299 0.77046
1 "method class_means, measure robustness" 1 0.984246 1 0.983333 0.974397 0.989185 0.753333 0.728161 0.776889
2 "method random_directions, measure robustness" 1 0.984246 1 0.0183333 0.0121378 0.0276028 0.00916667 0.00512615 0.0163397
END
set xrange [-0.02:1.05]
set yrange [3:-1]
set grid x
set xlabel 'share'
set key top outside horizontal
set lmargin 60
plot $cells using 3:($1+-0.2):4:5:ytic(2) with xerrorbars pt 7 ps 0.4 title 'read, test wordings', \
  $cells using 6:($1+0):7:8 with xerrorbars pt 7 ps 0.4 title 'swapped, test wordings', \
  $cells using 9:($1+0.2):10:11 with xerrorbars pt 7 ps 0.4 title 'swapped, unseen wordings'
