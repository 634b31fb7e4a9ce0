set terminal svg size 1280,456 noenhanced background '#ffffff'
set output 'swap.svg'
set grid y
$read0 << END
1 1 0.984246 1
2 1 0.984246 1
5 1 0.984246 1
10 1 0.984246 1
20 1 0.984246 1
50 1 0.984246 1
200 1 0.984246 1
800 1 0.984246 1
END
$read1 << END
1 1 0.984246 1
2 1 0.984246 1
5 1 0.984246 1
10 1 0.984246 1
20 1 0.984246 1
50 1 0.984246 1
200 1 0.984246 1
800 1 0.984246 1
END
$swap0 << END
1 0.0133333 0.00822363 0.0215489
2 0.0216667 0.0148282 0.0315578
5 0.0275 0.0196476 0.0383679
10 0.350833 0.324347 0.378272
20 0.985833 0.97743 0.991136
50 0.984167 0.975403 0.98984
200 0.985 0.976414 0.990491
800 0.946667 0.932469 0.958014
END
$swap1 << END
1 0.975 0.964536 0.982433
2 0.978333 0.968442 0.985172
5 0.984167 0.975403 0.98984
10 0.983333 0.974397 0.989185
20 0.9825 0.973395 0.988526
50 0.9825 0.973395 0.988526
200 0.9825 0.973395 0.988526
800 0.983333 0.974397 0.989185
END
$unseen_swap0 << END
1 0.035 0.0259968 0.0469708
2 0.0416667 0.0317469 0.0545115
5 0.04 0.0303014 0.0526343
10 0.174167 0.153758 0.196655
20 0.734167 0.708453 0.758386
50 0.751667 0.726445 0.775283
200 0.74 0.714444 0.764024
800 0.713333 0.687099 0.738206
END
$unseen_swap1 << END
1 0.735 0.709308 0.759192
2 0.738333 0.712732 0.762414
5 0.75 0.724729 0.773676
10 0.75 0.724729 0.773676
20 0.750833 0.725587 0.774479
50 0.7525 0.727303 0.776086
200 0.7525 0.727303 0.776086
800 0.753333 0.728161 0.776889
END
set yrange [0:1.05]
set key below maxcols 1
set xlabel 'labels'
set logscale x
set multiplot layout 1,3
set title 'read, test wordings'
plot $read0 using 1:2:3:4 with yerrorlines pt 7 ps 0.4 title "method sae", \
  $read1 using 1:2:3:4 with yerrorlines pt 7 ps 0.4 title "method class_means"
set title 'swapped, test wordings'
plot $swap0 using 1:2:3:4 with yerrorlines pt 7 ps 0.4 title "method sae", \
  $swap1 using 1:2:3:4 with yerrorlines pt 7 ps 0.4 title "method class_means"
set title 'swapped, unseen wordings'
plot $unseen_swap0 using 1:2:3:4 with yerrorlines pt 7 ps 0.4 title "method sae", \
  $unseen_swap1 using 1:2:3:4 with yerrorlines pt 7 ps 0.4 title "method class_means"
unset multiplot
