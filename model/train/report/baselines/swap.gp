set terminal svg size 1100,274 noenhanced background '#ffffff'
set output 'swap.svg'
set grid y
$cells << END
0 "AlignSAE" 1 0.993638 1 0.981667 0.976214 0.985888 0.753333 0.73759 0.768428
1 "AlignSAE, prefix alone" 1 0.993638 1 0.980667 0.97509 0.985014 0.762 0.746432 0.776898
2 "class means" 1 0.993638 1 0.981333 0.975839 0.985597 0.766667 0.751197 0.781455
3 "linear probe" 1 0.993638 1 0.944 0.93519 0.951674 0.695667 0.67896 0.711873
4 "SAE feature by separation" 1 0.993638 1 0.98 0.974342 0.98443 0.757667 0.74201 0.772664
5 "SAE feature by effect" 1 0.993638 1 0.98 0.974342 0.98443 0.757667 0.74201 0.772664
6 "random directions" 1 0.993638 1 0.0126667 0.00924243 0.0173374 0.00966667 0.00673903 0.0138484
END
set xrange [-0.02:1.05]
set yrange [7:-1]
set grid x
set xlabel 'share'
set key top outside horizontal
set lmargin 60
plot $cells using 3:($1+-0.2):4:5:ytic(2) with xerrorbars pt 7 ps 0.4 title 'read, test wordings', \
  $cells using 6:($1+0):7:8 with xerrorbars pt 7 ps 0.4 title 'swapped, test wordings', \
  $cells using 9:($1+0.2):10:11 with xerrorbars pt 7 ps 0.4 title 'swapped, unseen wordings'
