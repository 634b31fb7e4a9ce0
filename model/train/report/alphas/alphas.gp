set terminal svg size 1100,300 noenhanced background '#ffffff'
set output 'alphas.svg'
set grid y
$rows << END
"alpha" "0.1" "0.25" "0.5" "0.75" "1" "1.5" "2" "3" "5" "10" "50"
"layer 0" 0.1967 0.4508 0.7308 0.7842 0.8142 0.8525 0.8883 0.905 0.7542 0.4125 0.0833
"layer 1" 0.28 0.6125 0.94 0.9858 0.9875 0.9775 0.9667 0.8942 0.6192 0.2842 0.0575
"layer 2" 0.2458 0.5283 0.905 0.9708 0.9767 0.9717 0.9558 0.9017 0.6017 0.1608 0.075
"layer 3" 0.1225 0.2275 0.4808 0.715 0.8092 0.8608 0.8508 0.7692 0.5308 0.2633 0.12
"layer 4" 0.0183 0.0333 0.0692 0.1342 0.2092 0.3475 0.4183 0.4108 0.3008 0.16 0.0933
"layer 5" 0.0042 0.0067 0.0142 0.0292 0.045 0.1283 0.2117 0.2858 0.2667 0.15 0.0575
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
