set terminal svg size 1100,300 noenhanced background '#ffffff'
set output 'alphas.svg'
set grid y
$rows << END
"alpha" "0.5" "1" "2" "5" "10" "50" "100" "1000"
"method sae, measure robustness" 0.94 0.9875 0.9667 0.6192 0.2842 0.0575 0.0417 0.0417
"method class_means, measure robustness" 0.9483 0.9833 0.9608 0.64 0.2833 0.0717 0.0583 0.0583
"method random_directions, measure robustness" 0.0033 0.0033 0.0058 0.0183 0.0092 0 0 0
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
