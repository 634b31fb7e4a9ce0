set terminal svg size 1280,438 noenhanced background '#ffffff'
set output 'swap.svg'
set grid y
$read0 << END
0 1 0.984246 1
1 1 0.984246 1
2 1 0.984246 1
3 1 0.984246 1
4 1 0.984246 1
5 0.958333 0.925013 0.977213
END
$swap0 << END
0 0.888333 0.86926 0.904929
1 0.9875 0.979478 0.99241
2 0.976667 0.966483 0.983808
3 0.860833 0.840096 0.879268
4 0.418333 0.390728 0.44646
5 0.285833 0.260985 0.312048
END
$unseen_swap0 << END
0 0.7225 0.696486 0.747094
1 0.746667 0.721299 0.77046
2 0.715833 0.689658 0.740631
3 0.580833 0.552701 0.60845
4 0.29 0.265029 0.316311
5 0.205 0.183117 0.228765
END
set yrange [0:1.05]
set key below maxcols 1
set xlabel 'layer'
set multiplot layout 1,3
set title 'read, test wordings'
plot $read0 using 1:2:3:4 with yerrorlines pt 7 ps 0.4 title "all"
set title 'swapped, test wordings'
plot $swap0 using 1:2:3:4 with yerrorlines pt 7 ps 0.4 title "all"
set title 'swapped, unseen wordings'
plot $unseen_swap0 using 1:2:3:4 with yerrorlines pt 7 ps 0.4 title "all"
unset multiplot
