set terminal svg size 1100,1528 noenhanced background '#ffffff'
set output 'alphas.svg'
set grid y
$rows << END
"alpha" "0.5" "1" "2" "4"
"activation relu, perp 0, sparse 0, prefix 0, val 0, indep 0" 0.0017 0.0008 0.0008 0.0017
"activation relu, perp 0, sparse 0, prefix 0, val 0, indep 0.01" 0.0017 0.0025 0.0108 0.0092
"activation relu, perp 0, sparse 0, prefix 0, val 0.5, indep 0" 0.0017 0.0017 0.0017 0.0017
"activation relu, perp 0, sparse 0, prefix 0, val 0.5, indep 0.01" 0.0017 0.0017 0.0075 0.0133
"activation relu, perp 0, sparse 0, prefix 0.1, val 0, indep 0" 0.9533 0.9825 0.9617 0.7342
"activation relu, perp 0, sparse 0, prefix 0.1, val 0, indep 0.01" 0.9533 0.9825 0.9617 0.735
"activation relu, perp 0, sparse 0, prefix 0.1, val 0.5, indep 0" 0.9517 0.985 0.9633 0.7375
"activation relu, perp 0, sparse 0, prefix 0.1, val 0.5, indep 0.01" 0.9517 0.985 0.9633 0.7383
"activation relu, perp 0, sparse 0.01, prefix 0, val 0, indep 0" 0.9183 0.9825 0.965 0.8058
"activation relu, perp 0, sparse 0.01, prefix 0, val 0, indep 0.01" 0.9183 0.9817 0.965 0.8075
"activation relu, perp 0, sparse 0.01, prefix 0, val 0.5, indep 0" 0.9125 0.9833 0.9683 0.8058
"activation relu, perp 0, sparse 0.01, prefix 0, val 0.5, indep 0.01" 0.9117 0.9833 0.9683 0.8058
"activation relu, perp 0, sparse 0.01, prefix 0.1, val 0, indep 0" 0.9475 0.9833 0.9617 0.7575
"activation relu, perp 0, sparse 0.01, prefix 0.1, val 0, indep 0.01" 0.9475 0.9833 0.9617 0.7567
"activation relu, perp 0, sparse 0.01, prefix 0.1, val 0.5, indep 0" 0.9408 0.985 0.965 0.76
"activation relu, perp 0, sparse 0.01, prefix 0.1, val 0.5, indep 0.01" 0.9408 0.985 0.965 0.7592
"activation relu, perp 1, sparse 0, prefix 0, val 0, indep 0" 0.9217 0.9833 0.9658 0.7792
"activation relu, perp 1, sparse 0, prefix 0, val 0, indep 0.01" 0.9217 0.9833 0.9658 0.7792
"activation relu, perp 1, sparse 0, prefix 0, val 0.5, indep 0" 0.9117 0.9858 0.9675 0.7933
"activation relu, perp 1, sparse 0, prefix 0, val 0.5, indep 0.01" 0.9117 0.9858 0.9675 0.7933
"activation relu, perp 1, sparse 0, prefix 0.1, val 0, indep 0" 0.9442 0.9842 0.9642 0.7725
"activation relu, perp 1, sparse 0, prefix 0.1, val 0, indep 0.01" 0.9433 0.9842 0.9633 0.7708
"activation relu, perp 1, sparse 0, prefix 0.1, val 0.5, indep 0" 0.9358 0.9858 0.9658 0.7767
"activation relu, perp 1, sparse 0, prefix 0.1, val 0.5, indep 0.01" 0.9358 0.9858 0.9658 0.7767
"activation relu, perp 1, sparse 0.01, prefix 0, val 0, indep 0" 0.9292 0.9833 0.965 0.785
"activation relu, perp 1, sparse 0.01, prefix 0, val 0, indep 0.01" 0.9292 0.9833 0.965 0.7858
"activation relu, perp 1, sparse 0.01, prefix 0, val 0.5, indep 0" 0.9267 0.9842 0.9658 0.7925
"activation relu, perp 1, sparse 0.01, prefix 0, val 0.5, indep 0.01" 0.9267 0.9842 0.9658 0.7933
"activation relu, perp 1, sparse 0.01, prefix 0.1, val 0, indep 0" 0.9458 0.9825 0.9625 0.7517
"activation relu, perp 1, sparse 0.01, prefix 0.1, val 0, indep 0.01" 0.9458 0.9825 0.9625 0.7508
"activation relu, perp 1, sparse 0.01, prefix 0.1, val 0.5, indep 0" 0.9417 0.9867 0.965 0.7625
"activation relu, perp 1, sparse 0.01, prefix 0.1, val 0.5, indep 0.01" 0.9417 0.9867 0.965 0.7625
"activation identity, perp 0, sparse 0, prefix 0, val 0, indep 0" 0.0017 0.0033 0 0
"activation identity, perp 0, sparse 0, prefix 0, val 0, indep 0.01" 0.0033 0.01 0.0125 0.0033
"activation identity, perp 0, sparse 0, prefix 0, val 0.5, indep 0" 0.0017 0.0042 0.0008 0
"activation identity, perp 0, sparse 0, prefix 0, val 0.5, indep 0.01" 0.0042 0.01 0.0125 0.01
"activation identity, perp 0, sparse 0, prefix 0.1, val 0, indep 0" 0.8783 0.9675 0.3067 0.0042
"activation identity, perp 0, sparse 0, prefix 0.1, val 0, indep 0.01" 0.8783 0.9675 0.3058 0.0042
"activation identity, perp 0, sparse 0, prefix 0.1, val 0.5, indep 0" 0.9192 0.9792 0.9217 0.41
"activation identity, perp 0, sparse 0, prefix 0.1, val 0.5, indep 0.01" 0.9175 0.9792 0.9225 0.4133
"activation identity, perp 0, sparse 0.01, prefix 0, val 0, indep 0" 0.8575 0.97 0.3075 0.0058
"activation identity, perp 0, sparse 0.01, prefix 0, val 0, indep 0.01" 0.8575 0.9692 0.3067 0.0058
"activation identity, perp 0, sparse 0.01, prefix 0, val 0.5, indep 0" 0.9158 0.98 0.9292 0.4483
"activation identity, perp 0, sparse 0.01, prefix 0, val 0.5, indep 0.01" 0.9158 0.98 0.9292 0.4458
"activation identity, perp 0, sparse 0.01, prefix 0.1, val 0, indep 0" 0.8425 0.9642 0.2942 0.0042
"activation identity, perp 0, sparse 0.01, prefix 0.1, val 0, indep 0.01" 0.8425 0.9642 0.2942 0.0042
"activation identity, perp 0, sparse 0.01, prefix 0.1, val 0.5, indep 0" 0.9117 0.9817 0.9083 0.3167
"activation identity, perp 0, sparse 0.01, prefix 0.1, val 0.5, indep 0.01" 0.9117 0.9817 0.9083 0.3167
"activation identity, perp 1, sparse 0, prefix 0, val 0, indep 0" 0.8875 0.9725 0.3167 0.005
"activation identity, perp 1, sparse 0, prefix 0, val 0, indep 0.01" 0.8875 0.9725 0.3175 0.0042
"activation identity, perp 1, sparse 0, prefix 0, val 0.5, indep 0" 0.91 0.9542 0.6125 0.0775
"activation identity, perp 1, sparse 0, prefix 0, val 0.5, indep 0.01" 0.91 0.9542 0.6108 0.0775
"activation identity, perp 1, sparse 0, prefix 0.1, val 0, indep 0" 0.875 0.9692 0.2783 0.0033
"activation identity, perp 1, sparse 0, prefix 0.1, val 0, indep 0.01" 0.8758 0.9692 0.2775 0.0033
"activation identity, perp 1, sparse 0, prefix 0.1, val 0.5, indep 0" 0.9133 0.98 0.9192 0.3917
"activation identity, perp 1, sparse 0, prefix 0.1, val 0.5, indep 0.01" 0.9133 0.98 0.9192 0.3908
"activation identity, perp 1, sparse 0.01, prefix 0, val 0, indep 0" 0.8483 0.965 0.2733 0.005
"activation identity, perp 1, sparse 0.01, prefix 0, val 0, indep 0.01" 0.8483 0.965 0.2733 0.005
"activation identity, perp 1, sparse 0.01, prefix 0, val 0.5, indep 0" 0.9133 0.9808 0.9208 0.3617
"activation identity, perp 1, sparse 0.01, prefix 0, val 0.5, indep 0.01" 0.9133 0.9808 0.9208 0.3608
"activation identity, perp 1, sparse 0.01, prefix 0.1, val 0, indep 0" 0.8383 0.9608 0.2858 0.0042
"activation identity, perp 1, sparse 0.01, prefix 0.1, val 0, indep 0.01" 0.8375 0.9608 0.2858 0.0042
"activation identity, perp 1, sparse 0.01, prefix 0.1, val 0.5, indep 0" 0.9083 0.9817 0.9008 0.2858
"activation identity, perp 1, sparse 0.01, prefix 0.1, val 0.5, indep 0.01" 0.9083 0.9817 0.9008 0.2867
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
