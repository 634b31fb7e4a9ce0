set terminal svg size 1100,300 noenhanced background '#ffffff'
set output 'alphas.svg'
set grid y
$rows << END
"alpha" "0.1" "0.5" "1" "1.5" "2" "3" "5" "10" "50"
"AlignSAE" 0.255 0.922 0.9817 0.9733 0.9577 0.9007 0.6937 0.2987 0.0653
"AlignSAE, prefix alone" 0.2987 0.9443 0.9807 0.9693 0.9547 0.8843 0.6607 0.2727 0.0767
"class means" 0.285 0.9407 0.9813 0.9703 0.954 0.887 0.672 0.298 0.0593
"linear probe" 0.0433 0.3527 0.8513 0.944 0.9413 0.8783 0.641 0.2593 0.0567
"SAE feature by separation" 0.1753 0.8697 0.98 0.9783 0.9617 0.9197 0.7273 0.3313 0.0687
"SAE feature by effect" 0.1753 0.8697 0.98 0.9783 0.9617 0.9197 0.7273 0.3313 0.0687
"random directions" 0.0013 0.0013 0.002 0.0033 0.0037 0.0067 0.0127 0.01 0
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
