set terminal svg size 1100,472 noenhanced background '#ffffff'
set output 'alphas.svg'
set grid y
$rows << END
"alpha" "0.5" "1" "2" "4"
"method sae, labels 1" 0.0017 0.0017 0.0017 0.0133
"method sae, labels 2" 0.0017 0.0017 0.0017 0.0217
"method sae, labels 5" 0.0017 0.0017 0.0025 0.0275
"method sae, labels 10" 0.0058 0.0442 0.3033 0.3508
"method sae, labels 20" 0.8817 0.9858 0.9675 0.7983
"method sae, labels 50" 0.9367 0.9842 0.9642 0.7492
"method sae, labels 200" 0.9208 0.985 0.9642 0.7925
"method sae, labels 800" 0.8333 0.9467 0.9558 0.7792
"method class_means, labels 1" 0.9008 0.975 0.9442 0.7492
"method class_means, labels 2" 0.9225 0.9783 0.9483 0.7608
"method class_means, labels 5" 0.9458 0.9842 0.9575 0.7358
"method class_means, labels 10" 0.95 0.9833 0.9608 0.7483
"method class_means, labels 20" 0.95 0.9825 0.96 0.7658
"method class_means, labels 50" 0.9508 0.9825 0.96 0.7667
"method class_means, labels 200" 0.9483 0.9825 0.96 0.7725
"method class_means, labels 800" 0.9483 0.9833 0.9608 0.7758
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
