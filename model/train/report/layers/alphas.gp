set terminal svg size 1100,648 noenhanced background '#ffffff'
set output 'alphas.svg'
set grid y
$rows << END
"alpha" "0.5" "1" "2" "4"
"hook attn_out, layer 0" 0.57 0.7817 0.8842 0.9042
"hook attn_out, layer 1" 0.0033 0.0208 0.0567 0.1658
"hook attn_out, layer 2" 0.0017 0.0017 0.0017 0.0008
"hook attn_out, layer 3" 0.0017 0.0017 0.0017 0.0017
"hook attn_out, layer 4" 0.0008 0.0008 0 0
"hook attn_out, layer 5" 0.0017 0.0008 0.0008 0.0008
"hook resid_mid, layer 0" 0.5542 0.775 0.8258 0.87
"hook resid_mid, layer 1" 0.8775 0.985 0.9692 0.8083
"hook resid_mid, layer 2" 0.8817 0.9783 0.9608 0.7858
"hook resid_mid, layer 3" 0.5417 0.8342 0.8525 0.6708
"hook resid_mid, layer 4" 0.1467 0.3283 0.49 0.4125
"hook resid_mid, layer 5" 0.0325 0.1458 0.3583 0.3158
"hook mlp_out, layer 0" 0.5708 0.795 0.8642 0.8825
"hook mlp_out, layer 1" 0.0017 0.0233 0.1875 0.5717
"hook mlp_out, layer 2" 0.0017 0.01 0.0992 0.2792
"hook mlp_out, layer 3" 0.0017 0.0017 0.0017 0.0017
"hook mlp_out, layer 4" 0.0008 0.0008 0.0017 0.0017
"hook mlp_out, layer 5" 0.0008 0.0008 0 0
"hook resid_post, layer 0" 0.7308 0.8142 0.8883 0.83
"hook resid_post, layer 1" 0.94 0.9875 0.9667 0.7675
"hook resid_post, layer 2" 0.905 0.9767 0.9558 0.7475
"hook resid_post, layer 3" 0.4808 0.8092 0.8508 0.6525
"hook resid_post, layer 4" 0.0692 0.2092 0.4183 0.3542
"hook resid_post, layer 5" 0.0142 0.045 0.2117 0.2942
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
